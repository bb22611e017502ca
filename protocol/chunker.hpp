#pragma once

#include <cstdint>
#include <string_view>

namespace clarity {

/// Bounds of a content-defined chunk.
struct ChunkSizes {
    std::uint32_t min_bytes = 0;
    std::uint32_t average_bytes = 0;
    std::uint32_t max_bytes = 0;

    /// A quarter and four times the average, which must be a power of two of at least 256.
    [[nodiscard]] static ChunkSizes around(std::uint32_t average_bytes);
};

/// 64 KiB, doubled until even chunks of the smallest size are at most 65536.
[[nodiscard]] std::uint32_t chunk_average_for(std::uint64_t size_bytes);

/// Finds the ends of content-defined chunks in a stream: equal content gives equal chunks wherever
/// it stands, so that a new version names most chunks of the old one. The gear table and the
/// rule are part of the manifest's meaning: changing them loses every delta, nothing else.
/// Source: Xia et al., "FastCDC", USENIX ATC 2016: gear hash, skipped minimum, normalised
/// chunking level 2.
class Chunker {
  public:
    explicit Chunker(ChunkSizes sizes);

    struct Step {
        std::size_t consumed = 0;
        bool cut = false;  ///< a chunk ends right after the consumed bytes
    };
    /// Takes bytes up to the next end of a chunk, or all of them. The last chunk of a stream ends
    /// where the stream does. The same ends are found however the stream is split over calls.
    [[nodiscard]] Step next(std::string_view bytes);

  private:
    [[nodiscard]] std::size_t roll(std::string_view bytes, std::uint64_t below, bool& cut);

    ChunkSizes sizes_;
    std::uint64_t below_early_;  ///< cut when the hash is below: rarer before the average
    std::uint64_t below_late_;
    std::uint64_t hash_ = 0;
    std::uint32_t position_ = 0;  ///< bytes in the current chunk
};

}  // namespace clarity
