#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "protocol/bytes.hpp"
#include "protocol/record.hpp"

namespace clarity::swarm {

/// What moving an artifact to this node has cost so far.
struct ByteCounts {
    std::uint64_t wan_bytes = 0;
    std::uint64_t lan_bytes = 0;
    WanParts wan_parts = {};  ///< of wan_bytes
    bool whole = false;       ///< all of it was here, once
    bool operator==(const ByteCounts&) const = default;
};
using CountsByArtifact = std::map<Digest, ByteCounts>;

/// The counters on disk, written whole once a second while they change, so that kill -9 loses a
/// second at most. Blocking; JSON.
[[nodiscard]] Result<void> save_counts(const std::string& path, const CountsByArtifact& counts);
/// Nothing there: none. A broken file is an error; the caller starts anew and says so.
[[nodiscard]] Result<CountsByArtifact> load_counts(const std::string& path);

}  // namespace clarity::swarm
