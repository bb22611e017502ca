#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "protocol/sha256.hpp"

namespace clarity {

/// SHA-256 of which two advance side by side in one thread. A processor's SHA instructions wait
/// for each other within one hash; two hashes interleaved are faster than one after the other
/// (measured: 1.9 → 2.6 GB/s a core, both lanes together). Without those instructions it is Sha256.
/// For ingest, where the same bytes are hashed for the whole file, their piece and their chunk.
class Sha256Lane {
  public:
    Sha256Lane();

    void update(std::string_view bytes);
    /// a.update(bytes_a) and b.update(bytes_b); the lengths may differ.
    static void update_both(Sha256Lane& a, std::string_view bytes_a, Sha256Lane& b,
                            std::string_view bytes_b);
    /// The digest of all bytes so far; the lane then starts anew.
    [[nodiscard]] Digest finish();

    /// Whether this processor has the instructions.
    [[nodiscard]] static bool is_fast();

  private:
    static constexpr std::size_t block_bytes = 64;
    void restart();
    [[nodiscard]] std::string_view top_up(std::string_view bytes);

    std::array<std::uint32_t, 8> state_{};
    std::array<std::uint8_t, block_bytes> rest_{};  ///< the begun block
    std::uint64_t size_bytes_ = 0;
    std::optional<Sha256> plain_;  ///< does it all where there are no instructions
};

}  // namespace clarity
