#pragma once

#include <cstddef>

#include "protocol/bytes.hpp"

/// Zstandard (RFC 8878), one whole frame at a time. Pure.
namespace clarity::compression {

/// One frame of `plain`. `dictionary` is any text that both ends share: what it has in common with
/// `plain` costs nearly nothing, which is what makes short messages worth compressing. `level` is
/// zstd's, 1 (fast) to 19 (small): above the default it costs more time than it saves on messages.
[[nodiscard]] Bytes pack(std::string_view plain, std::string_view dictionary = {}, int level = 6);

/// What pack() was given. Fails with invalid on anything but one whole frame that says its size,
/// within `size_max_bytes`: no more than that is ever allocated.
[[nodiscard]] Result<Bytes> unpack(std::string_view packed, std::size_t size_max_bytes,
                                   std::string_view dictionary = {});

}  // namespace clarity::compression
