#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <vector>

namespace clarity::swarm {

struct GateSettings {
    std::uint64_t window_bytes = 7'500'000;  ///< on their way to all peers together
    std::uint32_t window_min = 2;            ///< pieces on their way to one peer
    std::uint32_t window_max = 64;
    std::uint32_t copies_min = 2;      ///< peers that hold a piece before we stop minding it
    std::int64_t second_ms = 1000;     ///< a piece that only one peer holds for so long: one more
    std::int64_t stall_ms = 3000;      ///< at least; a peer that confirms nothing for so long…
    std::int64_t stall_new_ms = 6000;  ///< …or for so long at its start is passed over
};

/// Decides to whom the only holder of pieces hands which of them, so that its uplink carries each
/// piece about once while the peers exchange the rest among themselves.
///
/// A fresh piece is offered to one peer alone, the one with the fewest offers under way, at most a
/// window's worth each; a peer confirms by announcing the piece as its own, which frees the place.
/// What a peer took with it when it went, or sat on, is offered to another. Everything else the
/// peers get from each other, because they do not see what was not offered to them.
///
/// Pure: time is an argument (steady milliseconds), same calls and seed, same offers. One thread.
/// Rationale and figures: docs/adr/0008-gate.md.
class Gate {
  public:
    using Peer = std::uint32_t;
    struct Offer {
        Peer peer = 0;
        std::uint32_t piece = 0;
        bool operator==(const Offer&) const = default;
    };

    Gate(std::uint32_t pieces, std::uint32_t piece_bytes, std::uint64_t seed,
         GateSettings settings = {});

    /// We hold this piece from now on.
    void own(std::uint32_t piece);
    /// The same for all that we hold at the start.
    void own(const std::vector<bool>& have);
    [[nodiscard]] bool owns(std::uint32_t piece) const { return pieces_[piece].own; }
    /// Peers that announced it.
    [[nodiscard]] std::uint32_t copies(std::uint32_t piece) const { return pieces_[piece].copies; }
    [[nodiscard]] std::uint32_t piece_count() const {
        return static_cast<std::uint32_t>(pieces_.size());
    }

    void add_peer(Peer peer, std::int64_t now_ms);
    void remove_peer(Peer peer);
    /// It announced a piece as its own; confirms an offer if there was one. Unknown numbers are
    /// ignored: they come from the network.
    void peer_has(Peer peer, std::uint32_t piece, std::int64_t now_ms);
    [[nodiscard]] std::size_t peers() const { return peers_.size(); }

    /// What to offer now, to be carried out: the gate counts on it.
    [[nodiscard]] std::vector<Offer> take_offers(std::int64_t now_ms);
    /// Once a second or so: finds peers that sit on their offers, and pieces with one copy only.
    void on_time(std::int64_t now_ms);
    /// Every piece that we own is at enough peers: there is nothing left to hand out.
    [[nodiscard]] bool spread() const;

  private:
    struct Piece {
        bool own = false;
        bool queued = false;
        std::uint32_t copies = 0;   ///< peers that announced it
        std::uint32_t offered = 0;  ///< offers under way
        std::int64_t copied_ms = 0;
    };
    struct PeerState {
        std::vector<bool> has;
        std::uint32_t count = 0;
        std::map<std::uint32_t, std::int64_t> under_way;  ///< piece → offered when
        std::int64_t progress_ms = 0;                     ///< last confirmed, or became busy
        std::int64_t pace_ms = 0;                         ///< between confirmations, smoothed
        bool stalled = false;
    };

    GateSettings settings_;
    std::uint32_t piece_bytes_;
    std::uint32_t first_;  ///< where a complete holder starts: differs between sources
    std::vector<Piece> pieces_;
    std::map<Peer, PeerState> peers_;
    std::deque<std::uint32_t> queue_;  ///< to be offered, first come

    void enqueue(std::uint32_t piece, bool first);
    [[nodiscard]] std::uint32_t window() const;
    [[nodiscard]] bool offer_next(PeerState& state, Peer peer, std::int64_t now_ms,
                                  std::vector<Offer>& out);
    void drop_spread();
    void withdraw(PeerState& state);
    [[nodiscard]] std::int64_t patience_ms(const PeerState& state) const;
};

}  // namespace clarity::swarm
