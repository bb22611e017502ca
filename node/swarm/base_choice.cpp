#include "node/swarm/base_choice.hpp"

#include <algorithm>
#include <unordered_set>

namespace clarity::swarm {

namespace {

/// As a fetcher pulls: a plain file of which too little is at hand is streamed whole.
std::uint64_t wan_bytes(const delta::Layout& layout, const delta::IsHeld& held) {
    const auto cost = delta::cost_of(layout, held);
    return layout.compressed || delta::pays(layout, cost) ? cost.wan_bytes : layout.file_bytes;
}

}  // namespace

std::optional<BaseChoice> choose_base(const Manifest& wanted,
                                      const std::vector<std::shared_ptr<const Manifest>>& others,
                                      const delta::IsHeld& held, const BaseTerms& terms) {
    const auto layout = delta::layout_of(wanted);
    if (!layout) return std::nullopt;
    const auto without = wan_bytes(*layout, held);
    const auto most = std::min(without, terms.missing_bytes);
    const auto least = std::max(terms.spares_min_bytes, most / 10);
    std::optional<BaseChoice> best;
    for (const auto& other : others) {
        const auto chunks = chunks_of(*other);
        if (!chunks) continue;
        std::unordered_set<ChunkHash, ChunkHashHasher> hashes;
        for (const auto& chunk : *chunks) hashes.insert(chunk.hash);
        const auto with = wan_bytes(
            *layout, [&](const ChunkHash& hash) { return hashes.contains(hash) || held(hash); });
        const auto spared = std::min(most, without - std::min(without, with));
        if (spared == 0 || spared < least || other->size_bytes / base_bytes_per_spared_max > spared)
            continue;
        if (!best || spared > best->spared_bytes) best = BaseChoice{other, spared};
    }
    return best;
}

}  // namespace clarity::swarm
