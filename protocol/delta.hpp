#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "protocol/chunk_list.hpp"

/// What of an artifact must be asked of its repository when some of its chunks are at hand, and in
/// which ranges. Pure; everything follows from the signed manifest. Used by the fetcher and, for
/// the bytes to expect, by the planner.
namespace clarity::delta {

inline constexpr std::string_view zstd_form = "zstd";
/// More than this is never unpacked from one frame.
inline constexpr std::uint64_t frame_plain_max_bytes = 64U << 20;

/// What can be asked for by itself: a chunk as it stands in a plain file, or one frame of a
/// compressed one, which holds some whole chunks.
struct Unit {
    std::uint64_t offset = 0;  ///< in the repository's file
    std::uint32_t length = 0;
    std::uint32_t first_chunk = 0;
    std::uint32_t chunk_count = 0;

    [[nodiscard]] std::uint64_t end() const { return offset + length; }
};

/// An artifact as its repository holds it.
struct Layout {
    std::vector<Chunk> chunks;
    std::vector<Unit> units;  ///< in order and without gaps, from byte 0
    bool compressed = false;
    std::uint64_t file_bytes = 0;  ///< the whole file in the repository

    /// Bytes of the artifact that a unit holds.
    [[nodiscard]] std::uint64_t plain_bytes(const Unit& unit) const;
};

/// Errors (invalid): no chunk list, one that does not add up, a stored form that is unknown here
/// (unavailable), frames that do not fit the chunks or the file.
[[nodiscard]] Result<Layout> layout_of(const Manifest& manifest);

/// The unit that holds a chunk, for every chunk.
[[nodiscard]] std::vector<std::uint32_t> units_by_chunk(const Layout& layout);

/// The `frames` field of a StoredForm: an entry for each.
void append_frame(Bytes& frames, std::uint32_t stored_bytes, std::uint16_t chunk_count);

/// Units [begin, end): one request.
struct Range {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
    bool operator==(const Range&) const = default;
};

/// As much of a file costs as little as another request for what is behind it (its headers, and
/// its share of a round trip).
inline constexpr std::uint64_t gap_max_bytes = 2048;

/// Requests that bring all `wanted` units, in order: neighbours are asked for together, and so are
/// those with at most `gap_max` unwanted bytes between them.
[[nodiscard]] std::vector<Range> ranges_for(const Layout& layout, const std::vector<bool>& wanted,
                                            std::uint64_t gap_max = gap_max_bytes);

struct Cost {
    std::uint64_t wan_bytes = 0;    ///< from the repository, gaps included
    std::uint64_t local_bytes = 0;  ///< of the artifact, from chunks at hand
    std::size_t requests = 0;
};

using IsHeld = std::function<bool(const ChunkHash&)>;

/// What the whole artifact costs when the chunks that `held` says are at hand.
[[nodiscard]] Cost cost_of(const Layout& layout, const IsHeld& held);

/// Whether that is worth many requests and the reading: at least a tenth of the file is saved. A
/// compressed file is taken frame by frame in any case.
[[nodiscard]] bool pays(const Layout& layout, const Cost& cost);

/// Bytes to expect from the repository, by the same rules as a fetcher: `held` may be empty.
[[nodiscard]] std::uint64_t expected_bytes(const Manifest& manifest, const IsHeld& held);

}  // namespace clarity::delta
