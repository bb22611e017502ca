#pragma once

#include <cstdint>
#include <string>
#include <unordered_set>

#include "cli/api.hpp"
#include "cli/command.hpp"
#include "protocol/chunk_list.hpp"

namespace clarity::cli {

/// In which form `clarity artifact add` has the repository hold the bytes.
struct StoreOptions {
    bool zstd = false;
    std::string output;  ///< the file to write for the repository
    int level = 12;
    std::uint32_t chunk_average_bytes = 0;  ///< 0 = by the size, or as earlier versions have it
};

/// From the command line; fails with invalid where options do not go together.
[[nodiscard]] Result<StoreOptions> store_options(const Arguments& arguments);

/// What sites may hold of an artifact already.
struct EarlierVersions {
    std::unordered_set<ChunkHash, ChunkHashHasher> chunks;
    std::uint32_t chunk_average_bytes = 0;  ///< of the newest; 0 = there is none
};

/// The newest versions registered at the coordinator. Only what is good to know: frames are laid
/// out by it, nothing is trusted. Empty when they cannot be had.
[[nodiscard]] EarlierVersions earlier_versions(const Api& api, const std::string& artifact);

}  // namespace clarity::cli
