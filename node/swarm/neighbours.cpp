#include "node/swarm/neighbours.hpp"

#include <algorithm>
#include <set>

#include "protocol/sha256.hpp"

namespace clarity::swarm {

namespace {

constexpr std::size_t everybody_max = 8;
constexpr int rings = 3;
constexpr std::size_t holders_max = 3;

/// A place on a ring; 16 bytes of SHA-256 are more than enough to tell servers apart.
std::string place(const Digest& artifact, int ring, const std::string& id) {
    const auto hash = sha256(fmt::format("{}|{}|{}", artifact.hex(), ring, id));
    return std::string(hash.view().substr(0, 16));
}

void add_ring(const Digest& artifact, int ring, const std::string& self,
              const std::vector<Participant>& participants, std::set<std::string>& out) {
    std::vector<std::pair<std::string, std::string>> order;
    order.reserve(participants.size() + 1);
    order.emplace_back(place(artifact, ring, self), self);
    for (const auto& each : participants) {
        order.emplace_back(place(artifact, ring, each.server_id), each.server_id);
    }
    std::sort(order.begin(), order.end());
    const auto at = static_cast<std::size_t>(
        std::find_if(order.begin(), order.end(), [&](auto& row) { return row.second == self; }) -
        order.begin());
    out.insert(order[(at + 1) % order.size()].second);
    out.insert(order[(at + order.size() - 1) % order.size()].second);
}

/// The complete holders that we turn to, others as a rule than those of the next server.
void add_holders(const Digest& artifact, const std::string& self,
                 const std::vector<Participant>& participants, std::set<std::string>& out) {
    std::vector<std::pair<std::string, std::string>> holders;
    for (const auto& each : participants) {
        if (each.fetching) out.insert(each.server_id);
        if (each.complete) {
            holders.emplace_back(place(artifact, rings, self + "|" + each.server_id),
                                 each.server_id);
        }
    }
    std::sort(holders.begin(), holders.end());
    for (std::size_t i = 0; i < std::min(holders.size(), holders_max); ++i) {
        out.insert(holders[i].second);
    }
}

}  // namespace

std::vector<Neighbour> neighbours_of(const Digest& artifact, const std::string& self,
                                     const std::vector<Participant>& participants) {
    std::set<std::string> chosen;
    if (participants.size() <= everybody_max) {
        for (const auto& each : participants) chosen.insert(each.server_id);
    } else {
        for (int ring = 0; ring < rings; ++ring)
            add_ring(artifact, ring, self, participants, chosen);
        add_holders(artifact, self, participants, chosen);
    }
    chosen.erase(self);
    std::vector<Neighbour> out;
    for (const auto& each : participants) {
        if (!chosen.contains(each.server_id)) continue;
        out.push_back({each.server_id, each.complete || self < each.server_id});
    }
    return out;
}

}  // namespace clarity::swarm
