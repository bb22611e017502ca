#include "storage/cache/eviction.hpp"

#include <algorithm>
#include <tuple>

namespace clarity {
namespace {

/// Division first: the limit may be near the end of the type.
std::uint64_t mark(const EvictionRoom& room, std::uint32_t percent) {
    return room.limit_bytes / 100 * percent;
}

}  // namespace

std::vector<Digest> choose_evictions(const EvictionRoom& room,
                                     std::vector<EvictionCandidate> candidates) {
    std::vector<Digest> out;
    const auto high = mark(room, room.high_percent);
    const bool over = room.limit_bytes != 0 && room.total_bytes > high;
    if (!over && room.disk_short_bytes == 0) return out;
    std::sort(candidates.begin(), candidates.end(), [](const auto& a, const auto& b) {
        return std::tie(a.last_used_unix_s, a.sha256) < std::tie(b.last_used_unix_s, b.sha256);
    });
    std::uint64_t freed = 0;
    const auto pass = [&](Keep keep, std::uint64_t goal) {
        for (const auto& each : candidates) {
            const auto left = room.total_bytes - std::min(room.total_bytes, freed);
            if ((!over || left <= goal) && freed >= room.disk_short_bytes) return;
            if (each.keep != keep) continue;
            freed += each.held_bytes;
            out.push_back(each.sha256);
        }
    };
    pass(Keep::no, mark(room, room.low_percent));
    pass(Keep::if_room, high);
    return out;
}

}  // namespace clarity
