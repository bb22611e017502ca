#pragma once

#include <cstdint>
#include <vector>

#include "protocol/manifest.hpp"

namespace clarity {

/// The first 16 bytes of a chunk's SHA-256.
using ChunkHash = FixedBytes<16, struct ChunkHashTag>;

/// For hash tables: the hash is evenly spread already.
struct ChunkHashHasher {
    std::size_t operator()(const ChunkHash& hash) const;
};

/// One content-defined chunk of an artifact.
struct Chunk {
    std::uint64_t offset = 0;  ///< in the plain artifact
    std::uint32_t length = 0;
    ChunkHash hash;

    [[nodiscard]] std::uint64_t end() const { return offset + length; }
};

inline constexpr std::size_t chunk_entry_bytes = 20;
/// No chunk is longer, whatever a list says (the greatest average is 64 MiB; four times that).
inline constexpr std::uint32_t chunk_max_bytes = 256U << 20;

[[nodiscard]] ChunkHash chunk_hash(std::string_view bytes);

/// The entries of a list as manifests have it. Fails with invalid where it is cut or has a chunk
/// of no bytes or of too many.
[[nodiscard]] Result<std::vector<Chunk>> parse_chunks(std::string_view list);

/// The manifest's chunks; fails with invalid also where they do not add up to the artifact's size.
/// Empty where the manifest has none.
[[nodiscard]] Result<std::vector<Chunk>> chunks_of(const Manifest& manifest);

}  // namespace clarity
