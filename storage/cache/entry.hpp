#pragma once

#include "storage/cache/cache.hpp"

namespace clarity {

/// What the index keeps of one artifact. Guarded by the cache's mutex.
struct ArtifactCache::Entry {
    std::string artifact;
    std::string version;
    std::uint64_t size_bytes = 0;
    std::uint32_t piece_size_bytes = 0;
    bool complete = false;
    std::vector<bool> pieces;
    std::int64_t last_used_unix_s = 0;
    std::string boot_id;               ///< of the boot that wrote the pieces
    std::int64_t verified_unix_s = 0;  ///< when the whole file was last found right

    [[nodiscard]] static Entry of(const Manifest& manifest);
    /// Whether the manifest cuts the same bytes up in the same way.
    [[nodiscard]] bool fits(const Manifest& manifest) const;
    [[nodiscard]] std::uint64_t held_bytes() const;
    [[nodiscard]] Bytes encode() const;
    [[nodiscard]] static Result<Entry> decode(std::string_view bytes);
};

namespace cache_detail {

inline constexpr std::string_view entry_prefix = "cache/entry/";
inline constexpr std::string_view pin_prefix = "cache/pin/";
inline constexpr std::string_view chunks_prefix = "cache/chunks/";

[[nodiscard]] Bytes entry_key(const Digest& sha256);
[[nodiscard]] Bytes chunks_key(const Digest& sha256);
[[nodiscard]] Bytes pin_key(const Digest& sha256, std::string_view owner);

/// SHA-256 of a file of exactly this size, whose contents are durable when it returns.
[[nodiscard]] Result<Digest> hash_and_sync(const std::string& path, std::uint64_t size_bytes,
                                           const std::stop_token& stop);

}  // namespace cache_detail

}  // namespace clarity
