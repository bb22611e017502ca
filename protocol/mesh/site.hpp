#pragma once

#include <cstdint>
#include <string_view>

namespace clarity::mesh {

/// A site's name in frames: the first 8 bytes of SHA-256 of its text. The text itself is compared
/// when a connection is made.
[[nodiscard]] std::uint64_t site_hash(std::string_view site);

}  // namespace clarity::mesh
