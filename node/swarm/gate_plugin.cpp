#include "node/swarm/gate_plugin.hpp"

#include <libtorrent/bdecode.hpp>
#include <libtorrent/bitfield.hpp>
#include <libtorrent/entry.hpp>
#include <libtorrent/peer_connection_handle.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <string>

#include "node/swarm/gate.hpp"
#include "node/swarm/peer_wire.hpp"
#include "node/swarm/request_batch.hpp"

namespace clarity::swarm {

namespace {

constexpr const char* message_name = "clr_gate";
constexpr const char* gating_key = "clr_g";
constexpr int message_id = 71;  ///< ours for "clr_gate"; the peer tells its own

enum class Kind : char { open = 0, gating = 1, offer = 2 };

std::int64_t now_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

class TorrentGate;

class PeerGate final : public lt::peer_plugin {
  public:
    PeerGate(std::weak_ptr<TorrentGate> torrent, lt::peer_connection_handle connection,
             Gate::Peer number, std::size_t pieces)
        : torrent_(std::move(torrent)),
          connection_(std::move(connection)),
          number_(number),
          visible_(pieces, false),
          told_(pieces, false) {}

    [[nodiscard]] lt::string_view type() const override { return message_name; }
    void add_handshake(lt::entry& handshake) override;
    bool on_extension_handshake(const lt::bdecode_node& handshake) override;
    bool on_bitfield(const lt::bitfield& bits) override;
    bool on_have_all() override;
    bool on_have_none() override { return remote_gating_; }
    bool on_have(lt::piece_index_t piece) override;
    bool on_extended(int length, int message, lt::span<const char> body) override;
    void on_disconnect(const lt::error_code& error) override;
    bool write_request(const lt::peer_request& request) override;
    bool on_piece(const lt::peer_request& block, lt::span<const char> bytes) override;
    bool on_reject(const lt::peer_request& request) override;
    void tick() override { send(requests_.on_second()); }

    /// Says whether we gate, unless the peer knows.
    void tell(bool gating);
    void offer(std::uint32_t piece);
    /// HAVE for everything in `own` that the peer was not told of.
    void show(const Gate& own);
    /// Tells a gating peer that we have what it offered us: libtorrent announces nothing to those
    /// that have it themselves.
    void confirm(std::uint32_t piece);

  private:
    std::weak_ptr<TorrentGate> torrent_;
    lt::peer_connection_handle connection_;
    Gate::Peer number_;
    bool speaks_ = false;
    bool told_gating_ = false;
    bool remote_gating_ = false;
    int remote_id_ = 0;
    std::vector<bool> visible_;  ///< offered to us by the peer
    std::vector<bool> told_;     ///< offered to the peer
    RequestBatch requests_;

    void send(const std::string& messages);
    void send_message(Kind kind, const std::uint32_t* piece = nullptr);
    void send_have(std::uint32_t piece);
    void learn(std::uint32_t piece);
};

class TorrentGate final : public lt::torrent_plugin,
                          public std::enable_shared_from_this<TorrentGate> {
  public:
    TorrentGate(std::uint32_t piece_bytes, const std::vector<bool>& have, std::uint64_t seed,
                std::shared_ptr<GateControl> control)
        : gate_(static_cast<std::uint32_t>(have.size()), piece_bytes, seed),
          control_(std::move(control)),
          gating_(std::find(have.begin(), have.end(), false) == have.end()) {
        gate_.own(have);
    }

    std::shared_ptr<lt::peer_plugin> new_connection(
        const lt::peer_connection_handle& connection) override {
        auto peer = std::make_shared<PeerGate>(weak_from_this(), connection, ++numbers_,
                                               gate_.piece_count());
        peers_[numbers_] = peer;
        return peer;
    }

    void on_piece_pass(lt::piece_index_t piece) override {
        const auto index = static_cast<std::uint32_t>(static_cast<int>(piece));
        gate_.own(index);
        for (const auto& [number, weak] : peers_) {
            if (const auto peer = weak.lock()) peer->confirm(index);
        }
        if (control_->producing) start_gating();
        pump();
    }

    void tick() override {
        if (control_->producing) start_gating();
        gate_.on_time(now_ms());
        if (gating_ && !control_->producing && gate_.spread()) open();
        pump();
    }

    [[nodiscard]] bool gating() const { return gating_; }
    [[nodiscard]] bool owns(std::uint32_t piece) const { return gate_.owns(piece); }
    void joined(Gate::Peer peer) {
        gate_.add_peer(peer, now_ms());
        pump();
    }
    void left(Gate::Peer peer) {
        peers_.erase(peer);
        gate_.remove_peer(peer);
        for (std::uint32_t piece = 0; piece < gate_.piece_count(); ++piece) {
            if (gate_.copies(piece) == 0) control_->set_held(piece, false);
        }
        pump();
    }
    /// `more`: others of the same message follow.
    void learnt(Gate::Peer peer, std::uint32_t piece, bool more) {
        gate_.peer_has(peer, piece, now_ms());
        if (piece < gate_.piece_count() && gate_.copies(piece) == 1) {
            control_->set_held(piece, true);
        }
        if (!more) pump();
    }

  private:
    Gate gate_;
    std::shared_ptr<GateControl> control_;
    bool gating_;
    Gate::Peer numbers_ = 0;
    std::map<Gate::Peer, std::weak_ptr<PeerGate>> peers_;

    void start_gating() {
        if (gating_) return;
        gating_ = true;
        for (const auto& [number, weak] : peers_) {
            if (const auto peer = weak.lock()) peer->tell(true);
        }
    }

    void open() {
        gating_ = false;
        for (const auto& [number, weak] : peers_) {
            const auto peer = weak.lock();
            if (!peer) continue;
            peer->tell(false);
            peer->show(gate_);
        }
    }

    void pump() {
        if (!gating_) return;
        for (const auto& offer : gate_.take_offers(now_ms())) {
            const auto found = peers_.find(offer.peer);
            const auto peer = found == peers_.end() ? nullptr : found->second.lock();
            if (!peer) continue;
            peer->offer(offer.piece);
            ++control_->offers;
        }
    }
};

void PeerGate::add_handshake(lt::entry& handshake) {
    const auto torrent = torrent_.lock();
    told_gating_ = torrent && torrent->gating();
    handshake["m"][message_name] = message_id;
    handshake[gating_key] = told_gating_ ? 1 : 0;
}

bool PeerGate::on_extension_handshake(const lt::bdecode_node& handshake) {
    const auto torrent = torrent_.lock();
    const auto messages = handshake.dict_find_dict("m");
    if (!torrent || speaks_ || !messages) return speaks_;
    remote_id_ = static_cast<int>(messages.dict_find_int_value(message_name, 0));
    speaks_ = remote_id_ > 0 && remote_id_ < 256;
    if (!speaks_) return false;
    remote_gating_ = handshake.dict_find_int_value(gating_key, 0) != 0;
    tell(torrent->gating());
    torrent->joined(number_);
    return true;
}

void PeerGate::learn(std::uint32_t piece) {
    if (const auto torrent = torrent_.lock()) torrent->learnt(number_, piece, false);
}

bool PeerGate::on_bitfield(const lt::bitfield& bits) {
    if (const auto torrent = torrent_.lock()) {
        for (int i = 0; i < bits.size(); ++i) {
            if (bits[i]) torrent->learnt(number_, static_cast<std::uint32_t>(i), true);
        }
    }
    return remote_gating_;
}

bool PeerGate::on_have_all() {
    if (const auto torrent = torrent_.lock()) {
        for (std::uint32_t i = 0; i < visible_.size(); ++i) torrent->learnt(number_, i, true);
    }
    return remote_gating_;
}

bool PeerGate::on_have(lt::piece_index_t piece) {
    const auto index = static_cast<std::uint32_t>(static_cast<int>(piece));
    if (index >= visible_.size()) return false;  // libtorrent deals with it
    learn(index);
    return remote_gating_ && !visible_[index];
}

bool PeerGate::on_extended(int length, int message, lt::span<const char> body) {
    if (message != message_id || !speaks_) return false;
    if (body.size() < length) return true;  // not all of it is here
    if (length < 1) return true;
    switch (static_cast<Kind>(body[0])) {
        case Kind::open: remote_gating_ = false; break;
        case Kind::gating: remote_gating_ = true; break;
        case Kind::offer: {
            if (length != 5) return true;
            std::uint32_t piece = 0;
            for (int i = 1; i < 5; ++i) piece = piece << 8U | static_cast<unsigned char>(body[i]);
            if (piece >= visible_.size()) return true;
            visible_[piece] = true;
            const auto torrent = torrent_.lock();
            if (torrent && torrent->owns(piece)) confirm(piece);  // it did not know
            break;
        }
    }
    return true;
}

void PeerGate::on_disconnect(const lt::error_code&) {
    if (const auto torrent = torrent_.lock()) torrent->left(number_);
}

bool PeerGate::write_request(const lt::peer_request& request) {
    send(requests_.add({static_cast<std::uint32_t>(static_cast<int>(request.piece)),
                        static_cast<std::uint32_t>(request.start),
                        static_cast<std::uint32_t>(request.length)}));
    return true;
}

bool PeerGate::on_piece(const lt::peer_request&, lt::span<const char>) {
    send(requests_.answered());
    return false;
}

bool PeerGate::on_reject(const lt::peer_request&) {
    send(requests_.answered());
    return false;
}

void PeerGate::send(const std::string& messages) {
    if (!messages.empty()) {
        connection_.send_buffer(messages.data(), static_cast<int>(messages.size()));
    }
}

void PeerGate::confirm(std::uint32_t piece) {
    if (remote_gating_ && visible_[piece]) send_have(piece);
}

void PeerGate::send_message(Kind kind, const std::uint32_t* piece) {
    std::string body(1, static_cast<char>(kind));
    if (piece != nullptr) peer_wire::append_u32(body, *piece);
    std::string out;
    peer_wire::append_extended(out, remote_id_, body);
    send(out);
}

void PeerGate::send_have(std::uint32_t piece) {
    std::string out;
    peer_wire::append_have(out, piece);
    send(out);
    told_[piece] = true;
}

void PeerGate::tell(bool gating) {
    if (!speaks_ || gating == told_gating_) return;
    told_gating_ = gating;
    send_message(gating ? Kind::gating : Kind::open);
}

void PeerGate::offer(std::uint32_t piece) {
    if (!speaks_) return;
    send_message(Kind::offer, &piece);
    send_have(piece);
}

void PeerGate::show(const Gate& own) {
    if (!speaks_) return;
    for (std::uint32_t piece = 0; piece < told_.size(); ++piece) {
        if (own.owns(piece) && !told_[piece]) send_have(piece);
    }
}

}  // namespace

std::shared_ptr<lt::torrent_plugin> make_gate_plugin(std::uint32_t piece_bytes,
                                                     const std::vector<bool>& have,
                                                     std::uint64_t seed,
                                                     std::shared_ptr<GateControl> control) {
    return std::make_shared<TorrentGate>(piece_bytes, have, seed, std::move(control));
}

}  // namespace clarity::swarm
