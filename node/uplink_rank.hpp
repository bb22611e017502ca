#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace clarity {

/// Who of a site holds the connection to the coordinator. Rendezvous hashing ranks all members
/// alike on every node; the best `wanted` that reach the coordinator hold it. A node further down
/// starts when too few above it do, later the further down it is, and stops when enough above it
/// do again. Nobody is told: the members' records say who reaches the coordinator.
struct UplinkSettings {
    std::size_t wanted = 2;
    std::int64_t step_ms = 1500;  ///< rank r waits (r - wanted + 1) × this before it tries
    std::int64_t wait_max_ms = 60'000;
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

    /// Should this node hold a connection now? To be called on changes and now and then.
    [[nodiscard]] bool step(std::int64_t now_ms, const std::vector<UplinkCandidate>& members);
    /// A change waits for its time: step() is to be called again soon.
    [[nodiscard]] bool is_waiting() const { return since_ms_ >= 0; }

  private:
    UplinkSettings settings_;
    std::string site_;
    std::string self_;
    bool holding_ = false;
    std::int64_t since_ms_ = -1;  ///< of the condition that would change holding_
};

}  // namespace clarity
