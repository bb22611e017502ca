#pragma once

#include <optional>
#include <string>
#include <vector>

#include "protocol/root.hpp"

namespace clarity {

enum class ArtifactType { jar, war, lxc, docker, binary, script };

[[nodiscard]] std::string_view name_of(ArtifactType type);
[[nodiscard]] std::optional<ArtifactType> artifact_type_from(std::string_view name);

/// Where the bytes can be had: a repository of the inventory and a path in it.
struct Source {
    std::string repository_id;
    std::string path;
};

struct Dependency {
    std::string artifact;
    std::string version;
};

/// What the sources hold instead of the artifact's plain bytes. Form "zstd": one ordinary .zst file
/// of frames back to back from byte 0, each a run of whole chunks, then a skippable frame (the
/// seek table of zstd's seekable format) up to `size_bytes`. `frames` is per frame its length in
/// that file as a little-endian u32 and its number of chunks as a little-endian u16: signed, so
/// that ranges can be planned before a byte of the file is seen, and no index in it is trusted.
struct StoredForm {
    std::string form;
    std::uint64_t size_bytes = 0;  ///< of the file in the repository
    Bytes frames;
};

/// One artifact version, as its publisher signed it.
///
/// `piece_layer` is the BEP 52 (BitTorrent v2) piece layer: one SHA-256 Merkle root over 16 KiB
/// blocks per piece, 32 bytes each, in order; a file of at most one piece has one entry.
/// `chunks` is the content-defined chunk list: per chunk a little-endian u32 length, then the
/// first 16 bytes of its SHA-256 (the whole file's digest is what is trusted).
struct Manifest {
    std::string artifact;
    std::string version;
    ArtifactType type = ArtifactType::binary;
    std::string description;
    Digest sha256;
    std::uint64_t size_bytes = 0;
    std::uint32_t piece_size_bytes = 0;  ///< power of two, at least 16 KiB
    Bytes piece_layer;
    std::uint32_t chunk_average_bytes = 0;
    Bytes chunks;
    std::optional<StoredForm> stored;  ///< absent: the sources hold the plain bytes
    std::vector<Source> sources;
    std::vector<Dependency> dependencies;
    std::int64_t created_unix_s = 0;

    [[nodiscard]] std::size_t piece_count() const { return piece_layer.size() / 32; }
    /// Expected Merkle root of a piece.
    [[nodiscard]] Digest piece_hash(std::size_t piece) const;
    /// Bytes in a piece: piece_size_bytes, or less for the last one.
    [[nodiscard]] std::uint32_t piece_length(std::size_t piece) const;

    [[nodiscard]] Bytes encode() const;
    [[nodiscard]] static Result<Manifest> decode(std::string_view payload);
};

[[nodiscard]] Result<Manifest> verify_manifest(const Root& root, const Envelope& envelope);

}  // namespace clarity
