#pragma once

#include <array>
#include <cstdint>

#include "protocol/mesh/random.hpp"

namespace clarity::mesh {

inline constexpr std::size_t bucket_count = 64;
using Buckets = std::array<std::uint64_t, bucket_count>;

/// Summary of a set of (key, hash) entries that two peers compare: equal sets have equal roots, and
/// otherwise the buckets say where they differ. Kept up to date in O(1) per change.
///
/// Not proof against a member that forges collisions: that could only hide an entry from one
/// exchange, never alter one (records and documents carry their own proof).
class BucketDigest {
  public:
    [[nodiscard]] static std::size_t bucket_of(std::uint64_t key) { return key >> 58U; }

    /// Adds the entry, or takes it out when it is there.
    void toggle(std::uint64_t key, std::uint64_t hash) {
        buckets_[bucket_of(key)] ^= mix(key, hash);
    }
    [[nodiscard]] const Buckets& buckets() const { return buckets_; }
    [[nodiscard]] std::uint64_t root() const {
        std::uint64_t out = 0;
        for (const auto bucket : buckets_) out = mix(out, bucket);
        return out;
    }
    /// Bit b is set where bucket b differs.
    [[nodiscard]] std::uint64_t differing(const Buckets& other) const {
        std::uint64_t mask = 0;
        for (std::size_t b = 0; b < bucket_count; ++b) {
            if (buckets_[b] != other[b]) mask |= std::uint64_t{1} << b;
        }
        return mask;
    }

  private:
    Buckets buckets_{};
};

}  // namespace clarity::mesh
