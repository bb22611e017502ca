#pragma once

#include <cstdint>
#include <vector>

#include "protocol/bytes.hpp"

namespace clarity {

/// How much an artifact that nobody on this server pins is needed all the same.
enum class Keep {
    no,       ///< enough other copies are at the site, or it is a download that was given up
    if_room,  ///< one of the copies the site is to keep; goes when the limit leaves no other way
    yes,      ///< the site needs this copy: it never goes
};

/// One artifact that could go.
struct EvictionCandidate {
    Digest sha256;
    std::uint64_t held_bytes = 0;
    std::int64_t last_used_unix_s = 0;
    Keep keep = Keep::no;
};

/// How short of room the cache is. All bytes are the cache's own.
struct EvictionRoom {
    std::uint64_t total_bytes = 0;  ///< what is here and what is about to come
    std::uint64_t limit_bytes = 0;  ///< 0 = none
    std::uint32_t high_percent = 95;
    std::uint32_t low_percent = 80;
    std::uint64_t disk_short_bytes = 0;  ///< what the disk lacks, whatever the limit
};

/// What goes, in this order; nothing while below the high mark and the disk has room.
///
/// Two passes, each from the least recently used on. The first takes what the site does not need
/// from here, down to the low mark. The second, only where that was not enough, takes the copies
/// that are kept while there is room, and no more of them than it takes to get below the high mark:
/// a site that may keep two copies of everything for ever would have no limit at all. Keep::yes
/// never goes. Pure.
[[nodiscard]] std::vector<Digest> choose_evictions(const EvictionRoom& room,
                                                   std::vector<EvictionCandidate> candidates);

}  // namespace clarity
