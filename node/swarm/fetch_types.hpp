#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <string>

#include "protocol/plan.hpp"

namespace clarity::swarm {

/// A repository to read from, and the artifact's path in it.
struct FetchSource {
    RepositoryAccess access;
    std::string path;
};

struct FetchSettings {
    std::int64_t retry_min_ms = 500;
    std::int64_t retry_max_ms = 30000;
    std::int64_t peers_wait_ms = 3000;  ///< at the start, for those known to hold pieces
    std::uint64_t unwritten_max_bytes = 64U << 20;
    std::uint32_t wrong_max = 3;  ///< pieces of the origin that may fail their hash, all together
    std::uint32_t requests_max = 4;  ///< ranges in flight at once
    std::uint32_t stall_s = 10;      ///< a repository that sends nothing for so long is cut
    /// The same where there is another repository to turn to: before the site passes us over.
    std::uint32_t stall_turn_s = 6;
};

/// Written by the fetch's threads, read by the loop. Outlives the fetch.
///
/// Why bytes came over the WAN is told when a piece or chunk is whole: a first pull by default
/// (wan_bytes less the three others), else one of the reasons of WanParts.
struct FetchCounters {
    std::atomic<std::uint64_t> wan_bytes{0};  ///< every body byte from the origin, for ever
    std::atomic<std::uint64_t> resumed_bytes{0};
    std::atomic<std::uint64_t> duplicate_bytes{0};
    std::atomic<std::uint64_t> repaired_bytes{0};
    std::atomic<std::uint64_t> local_bytes{0};  ///< taken from other versions here instead
    std::atomic<std::uint32_t> pieces{0};       ///< verified and handed on, this fetch
    std::atomic<bool> resuming{false};          ///< this fetch goes on after an interruption
    std::atomic<bool> was_whole{false};         ///< here, once: what is pulled mends it

    /// Bytes that the site lacked, and are what the publisher signed.
    void came(std::uint64_t bytes) {
        if (was_whole) repaired_bytes += bytes;
        else if (resuming) resumed_bytes += bytes;
    }
    /// Bytes that the site had, or that are thrown away.
    void spare(std::uint64_t bytes) { duplicate_bytes += bytes; }
    void wrong(std::uint64_t bytes) { repaired_bytes += bytes; }
    /// Of what came: somebody else had pulled it at the same time, as is known by now.
    void was_spare(std::uint64_t bytes) {
        if (was_whole) repaired_bytes -= std::min(bytes, repaired_bytes.load());
        else if (resuming) resumed_bytes -= std::min(bytes, resumed_bytes.load());
        duplicate_bytes += bytes;
    }
};

/// How a fetch goes about it.
struct FetchPlan {
    bool delta = false;  ///< chunk by chunk, with what is here; else the whole file
    std::string reason;  ///< for the log
};

}  // namespace clarity::swarm
