#pragma once

#include <cstdint>
#include <string_view>

namespace clarity::mesh {

/// Bijective scrambling of 64 bits (SplitMix64's finaliser; Steele, Lea, Flood 2014).
[[nodiscard]] constexpr std::uint64_t mix(std::uint64_t x) {
    x += 0x9e3779b97f4a7c15ULL;
    x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27U)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31U);
}

/// Order-dependent combination of two words.
[[nodiscard]] constexpr std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
    return mix(mix(a) ^ b);
}

/// A member's name in frames: FNV-1a of its id, scrambled. Never 0.
[[nodiscard]] constexpr std::uint64_t key_of(std::string_view id) {
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (const char c : id) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    }
    hash = mix(hash);
    return hash == 0 ? 1 : hash;
}

/// Small seeded generator: the same on every platform, unlike std::uniform_int_distribution.
class Random {
  public:
    explicit Random(std::uint64_t seed) : state_(mix(seed)) {}

    std::uint64_t next() { return mix(state_ += 0x9e3779b97f4a7c15ULL); }
    /// In [0, bound); 0 when bound is 0.
    std::uint64_t below(std::uint64_t bound) { return bound == 0 ? 0 : next() % bound; }
    /// `value` ± a third.
    std::int64_t jitter(std::int64_t value) {
        const std::int64_t third = value / 3;
        return value - third +
               static_cast<std::int64_t>(below(static_cast<std::uint64_t>(2 * third + 1)));
    }

  private:
    std::uint64_t state_;
};

}  // namespace clarity::mesh
