#include <algorithm>
#include <unordered_set>

#include "coordinator/planner/planner.hpp"
#include "protocol/delta.hpp"
#include "protocol/election.hpp"

namespace clarity::planner {

std::uint64_t expected_wan_bytes(const Manifest& wanted, const HeldBy& candidates) {
    std::vector<std::string> servers;
    std::set<std::string> bases;
    for (const auto& [server, manifests] : candidates) {
        servers.push_back(server);
        if (std::any_of(manifests.begin(), manifests.end(), [&](const Manifest* each) {
                return each->artifact == wanted.artifact && each->sha256 != wanted.sha256;
            })) {
            bases.insert(server);
        }
    }
    std::unordered_set<ChunkHash, ChunkHashHasher> held;
    const auto ranked = election::rank(wanted.sha256, std::move(servers), bases);
    if (!ranked.empty()) {
        for (const auto* manifest : candidates.at(ranked.front())) {
            const auto chunks = chunks_of(*manifest);
            if (!chunks) continue;
            for (const auto& chunk : *chunks) held.insert(chunk.hash);
        }
    }
    return delta::expected_bytes(wanted, [&](const auto& hash) { return held.contains(hash); });
}

}  // namespace clarity::planner
