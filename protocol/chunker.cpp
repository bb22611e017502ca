#include "protocol/chunker.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>

namespace clarity {

namespace {

/// 256 fixed random numbers: SplitMix64 from seed 0 (Steele et al., OOPSLA 2014).
constexpr std::array<std::uint64_t, 256> make_gear() {
    std::array<std::uint64_t, 256> table{};
    std::uint64_t state = 0;
    for (auto& entry : table) {
        state += 0x9e3779b97f4a7c15U;
        std::uint64_t z = state;
        z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
        z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
        entry = z ^ (z >> 31U);
    }
    return table;
}

constexpr auto gear = make_gear();

}  // namespace

ChunkSizes ChunkSizes::around(std::uint32_t average_bytes) {
    assert(std::has_single_bit(average_bytes) && average_bytes >= 256);
    return {average_bytes / 4, average_bytes, average_bytes * 4};
}

std::uint32_t chunk_average_for(std::uint64_t size_bytes) {
    constexpr std::uint64_t chunk_count_max = 65536;
    std::uint32_t average = 64U << 10;
    while (average < 64U << 20 && size_bytes > chunk_count_max * (average / 4)) average *= 2;
    return average;
}

Chunker::Chunker(ChunkSizes sizes) : sizes_(sizes) {
    // A hash is below 2^(64-n) once in 2^n bytes; its high bits depend on the most bytes.
    const auto bits = static_cast<unsigned>(std::countr_zero(sizes.average_bytes));
    below_early_ = std::uint64_t{1} << (64U - (bits + 2));
    below_late_ = std::uint64_t{1} << (64U - (bits - 2));
}

Chunker::Step Chunker::next(std::string_view bytes) {
    std::size_t at = 0;
    bool cut = false;
    if (position_ < sizes_.min_bytes) {
        at = std::min<std::size_t>(bytes.size(), sizes_.min_bytes - position_);
        position_ += static_cast<std::uint32_t>(at);
    }
    if (at < bytes.size() && position_ < sizes_.average_bytes) {
        at += roll(bytes.substr(at, sizes_.average_bytes - position_), below_early_, cut);
    }
    if (!cut && at < bytes.size() && position_ < sizes_.max_bytes) {
        at += roll(bytes.substr(at, sizes_.max_bytes - position_), below_late_, cut);
    }
    if (cut || position_ == sizes_.max_bytes) {
        position_ = 0;
        hash_ = 0;
        return {at, true};
    }
    return {at, false};
}

std::size_t Chunker::roll(std::string_view bytes, std::uint64_t below, bool& cut) {
    const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
    const std::size_t size = bytes.size();
    std::uint64_t hash = hash_;
    std::size_t at = 0;
    // Two bytes a turn: the sum of their gears does not wait for the hash before it.
    for (; at + 1 < size; at += 2) {
        const std::uint64_t first = gear[data[at]];
        const std::uint64_t both = (first << 1U) + gear[data[at + 1]];
        const std::uint64_t between = (hash << 1U) + first;
        hash = (hash << 2U) + both;
        if (between < below) {
            cut = true;
            at += 1;
            break;
        }
        if (hash < below) {
            cut = true;
            at += 2;
            break;
        }
    }
    if (!cut && at < size) {
        hash = (hash << 1U) + gear[data[at]];
        ++at;
        cut = hash < below;
    }
    hash_ = hash;
    position_ += static_cast<std::uint32_t>(at);
    return at;
}

}  // namespace clarity
