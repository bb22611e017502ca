#pragma once

#include <compare>
#include <string_view>

namespace clarity {

/// Orders versions as Semantic Versioning 2.0.0 section 11 does: numeric identifiers as numbers, a
/// pre-release ("-rc.1") before its release, build metadata ("+…") ignored. Anything else than
/// digits in a core field compares as text, so that every string has a place.
[[nodiscard]] std::strong_ordering compare_versions(std::string_view a, std::string_view b);

}  // namespace clarity
