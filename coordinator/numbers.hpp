#pragma once

#include <algorithm>
#include <cstdint>

namespace clarity::coordinator {

/// The plan or epoch number after `ours`, and after what a site says it has seen: more than ours
/// after an older backup was restored. A member that lies can waste a million numbers at a time,
/// of 2^64.
[[nodiscard]] constexpr std::uint64_t number_after(std::uint64_t ours, std::uint64_t seen) {
    constexpr std::uint64_t jump_max = 1'000'000;
    if (seen > ours) ours += std::min(seen - ours, jump_max);
    return ours + 1;
}

}  // namespace clarity::coordinator
