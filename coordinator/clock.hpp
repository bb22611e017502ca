#pragma once

#include <cstdint>
#include <string>

namespace clarity::coordinator {

/// The one place where the coordinator reads the wall clock; decisions take the time as argument.
[[nodiscard]] std::int64_t now_unix_ms();
[[nodiscard]] inline std::int64_t now_unix_s() {
    return now_unix_ms() / 1000;
}

/// "2026-11-23T12:00:00Z"; empty for 0.
[[nodiscard]] std::string utc_text(std::int64_t unix_s);

}  // namespace clarity::coordinator
