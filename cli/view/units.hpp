#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/error.hpp"

namespace clarity::cli {

/// "0 B", "999 B", "1.5 KiB", "102 MiB": binary units, three digits at most.
[[nodiscard]] std::string format_bytes(std::uint64_t bytes);

/// "6.2 MiB/s".
[[nodiscard]] std::string format_rate(double bytes_per_s);

/// "0.8 s", "12 s", "3 m 05 s", "2 h 10 m", "5 d 3 h"; "never" for a negative number, which is how
/// status says that nobody has heard of something.
[[nodiscard]] std::string format_duration(double seconds);

/// Seconds of "90", "90s", "10m", "2h", "7d"; at least 1, at most ten years.
[[nodiscard]] Result<std::int64_t> parse_duration(std::string_view text);

/// "2026-11-23 12:40:05 UTC"; "" for 0.
[[nodiscard]] std::string format_time(std::int64_t unix_s);

/// Seconds since a time as the API writes it ("2026-11-23T12:40:05Z"), never under 0; -1 where it
/// is none.
[[nodiscard]] double seconds_since(const std::string& time, std::int64_t now_unix_s);

/// "1 server", "4 servers": the noun's plural takes an s.
[[nodiscard]] std::string count_of(std::size_t count, std::string_view noun);

}  // namespace clarity::cli
