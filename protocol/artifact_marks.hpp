#pragma once

#include <cstdint>
#include <vector>

#include "protocol/bytes.hpp"

namespace clarity {

/// The first 8 bytes of an artifact's digest: enough to tell the artifacts of a site apart, where
/// records would grow too large with whole digests. A collision costs a copy that is kept or
/// dropped by mistake, never a wrong byte: whatever is used is checked by its whole digest.
[[nodiscard]] std::uint64_t artifact_mark(const Digest& sha256);

inline constexpr std::size_t artifact_marks_max = 256;  ///< of one list in a record

/// Sorted, without doubles; those beyond artifact_marks_max are left out.
[[nodiscard]] std::vector<std::uint64_t> artifact_marks(const std::vector<Digest>& artifacts);

}  // namespace clarity
