#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "protocol/manifest.hpp"

/// BitTorrent v2 hashes of a file. Source: BEP 52, https://www.bittorrent.org/beps/bep_0052.html
namespace clarity {

inline constexpr std::uint32_t merkle_block_bytes = 16U << 10;

/// Root over one piece from its blocks' hashes. `leaves_min` pads with zero hashes: the blocks of a
/// full piece, or 1 for the only piece of a file (which is padded to the next power of two only).
[[nodiscard]] Digest merkle_root(std::vector<Digest> leaves, std::size_t leaves_min);

/// The piece layer's entry for these bytes. `only` = the file has this one piece.
[[nodiscard]] Digest merkle_piece_root(std::string_view piece, std::uint32_t piece_size_bytes,
                                       bool only);

/// Whether the bytes are piece number `piece` of the artifact: length and Merkle root.
[[nodiscard]] bool piece_matches(const Manifest& manifest, std::size_t piece,
                                 std::string_view bytes);

/// "pieces root" of the file (v2 torrent info) from its piece layer, 32 bytes each.
[[nodiscard]] Digest merkle_file_root(std::string_view piece_layer, std::uint32_t piece_size_bytes);

/// 128 KiB up to 128 MiB, then 256 KiB, doubled until there are at most 8192 pieces (64 MiB is the
/// cap). Rationale: each piece is announced to every neighbour, so that twice as many cost the site
/// processor time; half as many pass on a short file more slowly.
[[nodiscard]] std::uint32_t piece_size_for(std::uint64_t size_bytes);

}  // namespace clarity
