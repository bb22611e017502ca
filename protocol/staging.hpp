#pragma once

#include <cstdint>

namespace clarity {

/// A plan whose not-before is in the future is staged: what it needs is fetched, nothing of it is
/// started. This one waits for a later plan to begin it: the end of the year 9999.
inline constexpr std::int64_t staged_until_further_unix_s = 253402300799;

}  // namespace clarity
