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

/// Who exchanges pieces with whom: a row of places in `ids` for each of them.
using Graph = std::vector<std::vector<std::size_t>>;

bool linked(const Graph& graph, std::size_t a, std::size_t b) {
    return std::find(graph[a].begin(), graph[a].end(), b) != graph[a].end();
}

/// Links each with the next one on the ring that it is not linked with yet and that no other took:
/// a link that two rings share would leave both ends with a neighbour less than the rest, and who
/// has few neighbours has a link that stands idle at its end while the others' are full.
void add_ring(const Digest& artifact, int ring, const std::vector<std::string>& ids, Graph& graph) {
    std::vector<std::pair<std::string, std::size_t>> order;
    order.reserve(ids.size());
    for (std::size_t i = 0; i < ids.size(); ++i) {
        order.emplace_back(place(artifact, ring, ids[i]), i);
    }
    std::sort(order.begin(), order.end());
    std::vector<bool> taken(ids.size(), false);
    for (std::size_t at = 0; at < order.size(); ++at) {
        const auto from = order[at].second;
        for (std::size_t step = 1; step < order.size(); ++step) {
            const auto to = order[(at + step) % order.size()].second;
            if (taken[to] || linked(graph, from, to)) continue;
            taken[to] = true;
            graph[from].push_back(to);
            graph[to].push_back(from);
            break;
        }
    }
}

/// Where a ring closes, its last ones may find nobody left: they are linked among themselves.
void link_left_over(Graph& graph) {
    constexpr std::size_t full = 2UL * rings;
    for (std::size_t a = 0; a < graph.size(); ++a) {
        for (std::size_t b = a + 1; b < graph.size() && graph[a].size() < full; ++b) {
            if (graph[b].size() >= full || linked(graph, a, b)) continue;
            graph[a].push_back(b);
            graph[b].push_back(a);
        }
    }
}

/// Those next to us among all that lack pieces and have no origin of their own.
void add_rings(const Digest& artifact, const std::string& self,
               const std::vector<Participant>& participants, std::set<std::string>& out) {
    std::vector<std::string> ids{self};
    for (const auto& each : participants) {
        if (!each.complete && !each.fetching) ids.push_back(each.server_id);
    }
    Graph graph(ids.size());
    std::sort(ids.begin(), ids.end());
    for (int ring = 0; ring < rings; ++ring) add_ring(artifact, ring, ids, graph);
    link_left_over(graph);
    const auto own = std::lower_bound(ids.begin(), ids.end(), self) - ids.begin();
    for (const auto each : graph[static_cast<std::size_t>(own)]) out.insert(ids[each]);
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
        add_rings(artifact, self, participants, chosen);
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
