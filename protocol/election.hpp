#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "protocol/bytes.hpp"

namespace clarity::election {

/// Who of a site pulls an artifact from its origin, so that each byte crosses the WAN once.
///
/// Rendezvous hashing: every node ranks the same candidates by SHA-256(artifact, server id). Rank r
/// waits r × delay for somebody's claim before it claims itself; claims travel in the nodes'
/// records. `delay` must exceed what a plan and a claim take to spread (measured: 2 s gives a
/// second fetcher in 0.03 % of cases at 200 nodes and 5 % loss, 1 s in 27 %).
///
/// Who cannot fetch, or would rather not, says so ("passes"), and is left out of the ranking: the
/// next one starts as soon as that record has reached it, without any delay of rank. A pass is
/// hard (may not: paused, out of hours, over its budget, disk full, no access) or soft (would when
/// nobody else does: origin out of its reach, slow, busy with another artifact). When all pass
/// softly they are ranked as ever, so that a site whose WAN is cut goes on trying. Who ends a pass
/// waits one delay more: somebody's claim may be on its way.
///
/// Rationale: no votes and no leases, because a site may be partitioned for months: each side then
/// elects its own fetcher, and when they meet the one of lower rank stops. A double fetch costs
/// bytes, never correctness.
struct Settings {
    std::int64_t delay_ms = 2000;
    std::int64_t stall_ms = 10000;
};

/// At most so many holders of another version go before the rest: were none of them able to
/// fetch, the others would wait for each of them in turn.
inline constexpr std::size_t bases_first_max = 3;

/// The servers in order of rank, best first. Duplicates are dropped. Those that hold another
/// version of the artifact (`bases`) come first, up to bases_first_max of them: what they have of
/// it need not cross the WAN again.
[[nodiscard]] std::vector<std::string> rank(const Digest& artifact,
                                            std::vector<std::string> servers,
                                            const std::set<std::string>& bases = {});

/// Another server's claim, as its newest record has it.
struct Claim {
    std::int64_t since_unix_ms = 0;
    std::uint32_t pieces_fetched = 0;
    std::uint64_t rate_bytes_s = 0;
    auto operator<=>(const Claim&) const = default;
};

/// Whether a node leaves an artifact to others.
enum class Pass { none, soft, hard };

/// Is a fetcher so slow that it had better pass? `rate_bytes_s`: its mean over slow_window_ms;
/// `successor_bytes_s`: the best that the next in rank has measured, 0 = never; `passed`: how many
/// others have passed for that reason. A factor of eight is more than what two measurements of one
/// link differ by; two turns are enough to see that it is the link and not the node.
[[nodiscard]] bool too_slow(std::uint64_t rate_bytes_s, std::uint64_t successor_bytes_s,
                            std::size_t passed);
inline constexpr std::int64_t slow_window_ms = 30000;
inline constexpr std::uint64_t slow_factor = 8;
inline constexpr std::size_t slow_turns_max = 2;
/// What a node is held able to do that has measured nothing yet.
inline constexpr std::uint64_t unmeasured_bytes_s = 128U << 10;

/// The site at one moment, seen from this node.
struct View {
    std::vector<std::string> alive;       ///< candidates held alive, without this node
    std::map<std::string, Claim> claims;  ///< others' claims on this artifact, of alive servers
    std::set<std::string> bases;  ///< who holds another version of it whole, this node included
    std::map<std::string, Pass> passes;  ///< of `alive` and this node; who is not named: none
    bool able = true;                    ///< this node could start now; else it soon says why not
    bool needed = true;                  ///< pieces are missing that nobody at the site can give
    std::uint64_t own_progress = 0;      ///< bytes this node's own fetch has received
};

enum class Decision {
    wait,   ///< not fetching, and not yet or not at all to
    fetch,  ///< claim it and fetch (or go on)
    stop,   ///< give the claim up now: passed over, not able, not needed, or the duplicate
};

/// The election for one artifact on one node. Pure: times are arguments (any steady milliseconds),
/// same calls give same answers. The caller acts on every Decision before it calls again.
class Election {
  public:
    Election(Settings settings, Digest artifact, std::string self);

    /// To be called on every change of the view, and now and then for the delays.
    [[nodiscard]] Decision step(std::int64_t now_ms, const View& view);

    /// The fetch ended by itself, without success: this node gives up its claim and stands back for
    /// `for_ms`, so that the others try; step() answers `wait` meanwhile.
    void stand_back(std::int64_t now_ms, std::int64_t for_ms);

    [[nodiscard]] bool fetching() const { return fetching_; }
    /// Until then step() answers `wait`: after a stall, or as stand_back() said.
    [[nodiscard]] std::int64_t back_until_ms() const { return back_until_ms_; }
    /// This node's rank in the last view; 0 = first.
    [[nodiscard]] std::size_t own_rank() const { return own_rank_; }
    /// Who would go on if this node did not; empty = nobody. Those that pass do not count.
    [[nodiscard]] std::string successor(std::int64_t now_ms, const View& view) const;

  private:
    struct Seen {
        Claim claim;
        std::int64_t progress_ms = 0;  ///< when it last changed
    };

    Settings settings_;
    Digest artifact_;
    std::string self_;
    bool fetching_ = false;
    bool waiting_ = false;      ///< waiting_since_ms_ holds
    bool passed_ = false;       ///< as of the last step
    std::int64_t hold_ms_ = 0;  ///< on top of the delay of rank, after a pass
    std::int64_t waiting_since_ms_ = 0;
    std::int64_t back_until_ms_ = 0;
    std::uint64_t own_progress_ = 0;
    std::int64_t own_progress_ms_ = 0;
    std::size_t own_rank_ = 0;
    std::map<std::string, Seen> seen_;

    void observe(std::int64_t now_ms, const View& view);
    [[nodiscard]] bool moving(const Seen& seen, std::int64_t now_ms) const;
    [[nodiscard]] Pass own_pass(const View& view) const;
    [[nodiscard]] std::vector<std::string> standing(std::int64_t now_ms, const View& view,
                                                    Pass level) const;
    [[nodiscard]] std::vector<std::string> standing(std::int64_t now_ms, const View& view) const;
    [[nodiscard]] bool must_stop(std::int64_t now_ms, const View& view) const;
};

}  // namespace clarity::election
