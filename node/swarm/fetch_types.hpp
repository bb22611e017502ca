#pragma once

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
};

/// Written by the fetch's threads, read by the loop. Outlives the fetch.
struct FetchCounters {
    std::atomic<std::uint64_t> wan_bytes{0};    ///< every body byte from the origin, for ever
    std::atomic<std::uint64_t> local_bytes{0};  ///< taken from other versions here instead
    std::atomic<std::uint32_t> pieces{0};       ///< verified and handed on, this fetch
};

/// How a fetch goes about it.
struct FetchPlan {
    bool delta = false;  ///< chunk by chunk, with what is here; else the whole file
    std::string reason;  ///< for the log
};

}  // namespace clarity::swarm
