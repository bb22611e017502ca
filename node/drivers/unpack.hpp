#pragma once

#include <string>

#include "protocol/error.hpp"

namespace clarity {

struct UnpackLimits {
    std::uint64_t size_max_bytes = 64ULL << 30;
    std::uint64_t files_max = 2'000'000;
    bool devices = false;  ///< device nodes are left out (containers get their own /dev)
};

/// Whether libarchive takes the file for a tar, zip, cpio … (any compression). A bare program or
/// script is none.
[[nodiscard]] bool is_archive(const std::string& path);

/// Unpacks an archive of any format and compression that libarchive reads into `folder`, which is
/// made. Owners, modes, times, ACLs and xattrs are kept (as root). Nothing lands outside: absolute
/// paths, "..", and writing through symbolic links are refused; so are archives over the limits.
/// What was begun stays on failure: the caller unpacks into a folder of its own and renames.
[[nodiscard]] Result<void> unpack_archive(const std::string& path, const std::string& folder,
                                          const UnpackLimits& limits = {});

/// unpack_archive() into <folder>.part, then renames: `folder` is complete or absent. Done before
/// for the same `stamp` (digest of the archive) → nothing happens.
[[nodiscard]] Result<void> unpack_once(const std::string& path, const std::string& folder,
                                       const std::string& stamp, const UnpackLimits& limits = {});

}  // namespace clarity
