#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "protocol/bytes.hpp"

namespace clarity {

/// Who of a site holds the connection to the coordinator. Rendezvous hashing ranks all members
/// alike on every node; the best `wanted` that reach the coordinator hold it, and the best of those
/// is the primary one. Where too few of the first reach it, those further down try, in windows that
/// grow from one node to `window_max` and pass on after a while: however large a site without any
/// WAN is, few of it knock. Nobody is told: the members' records say who reaches the coordinator.
struct UplinkSettings {
    std::size_t wanted = 2;
    std::int64_t first_ms = 1'000;   ///< the next in rank waits this long before it tries
    std::int64_t window_ms = 2'500;  ///< later begins the next window: 1, 1, 2, 4, … nodes
    std::size_t window_max = 16;
    std::int64_t try_ms = 6'000;     ///< so long a node tries when its turn has come
    std::int64_t pause_ms = 60'000;  ///< after all had their turn; doubles up to pause_max_ms
    std::int64_t pause_max_ms = 600'000;
    std::int64_t release_ms = 15'000;  ///< enough above us for this long: let go
};

/// A member as its record and the mesh show it.
struct UplinkCandidate {
    std::string server_id;
    bool alive = false;
    bool reaches_coordinator = false;
};

/// Best first, dead ones included: alive or not is the caller's view.
[[nodiscard]] std::vector<std::string> uplink_ranking(const std::string& site,
                                                      std::vector<std::string> servers);

/// The decision for one node. Pure: times are any steady milliseconds.
class UplinkDecision {
  public:
    UplinkDecision(UplinkSettings settings, std::string site, std::string self);

    /// Should this node hold a connection now? To be called on changes and now and then. `reaches`:
    /// it has one that works.
    [[nodiscard]] bool step(std::int64_t now_ms, const std::vector<UplinkCandidate>& members,
                            bool reaches);
    /// Nobody above this node reaches the coordinator: it speaks for the site.
    [[nodiscard]] bool is_primary() const { return holding_ && primary_; }
    /// A change waits for its time: step() is to be called again soon.
    [[nodiscard]] bool is_waiting() const {
        return needed_ms_ >= 0 || (holding_ && unneeded_ms_ >= 0);
    }

  private:
    UplinkSettings settings_;
    std::string site_;
    std::string self_;
    bool holding_ = false;
    bool primary_ = false;
    std::int64_t needed_ms_ = -1;    ///< since too few above us reach it; -1 = enough do
    std::int64_t unneeded_ms_ = -1;  ///< since enough do, while we hold one
    std::int64_t pause_ms_ = 0;
    std::map<std::string, Digest, std::less<>> weights_;  ///< hashed once

    [[nodiscard]] const Digest& weight_of(const std::string& server);
    [[nodiscard]] std::int64_t turn_ms(std::size_t behind) const;
    [[nodiscard]] bool is_our_turn(std::int64_t now_ms, std::size_t behind, std::size_t last);
};

}  // namespace clarity
