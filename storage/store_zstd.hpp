#pragma once

#include <functional>
#include <stop_token>
#include <string>

#include "protocol/delta.hpp"
#include "storage/ingest.hpp"

namespace clarity {

struct StoreSettings {
    /// zstd's level. 12 is where a core still packs more than an uplink carries.
    int level = 12;
    /// A frame gets chunks until it holds this much of the artifact.
    std::uint32_t frame_plain_bytes = 256U << 10;
    /// Chunks of an earlier version, which sites are likely to hold: no frame has both such ones
    /// and others, so that an upgrade pulls what is new and nothing else. May be empty.
    delta::IsHeld known = {};
    std::stop_token stop = {};  ///< ends with Errc::cancelled
};

/// Which chunks go into which frame, in order: their numbers.
[[nodiscard]] std::vector<std::uint32_t> group_chunks(const std::vector<Chunk>& chunks,
                                                      const StoreSettings& settings);

/// Writes the artifact at `path`, whose chunk list `manifest` has, as one ordinary .zst file to
/// `output` (replaced atomically): a frame for each group of chunks, then a seek table in a
/// skippable frame. Stock `zstd -d` gives back the artifact. Returns what belongs into the
/// manifest's `stored`. Packs on every core. Fails with conflict when the file is not what the
/// manifest says any more.
/// Source of the seek table: zstd's contrib/seekable_format, format 0.1.0.
[[nodiscard]] Result<StoredForm> store_zstd(const std::string& path, const Manifest& manifest,
                                            const std::string& output,
                                            const StoreSettings& settings = {},
                                            const IngestProgress& progress = {});

}  // namespace clarity
