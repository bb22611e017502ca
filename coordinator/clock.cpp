#include "coordinator/clock.hpp"

#include <chrono>
#include <ctime>

namespace clarity::coordinator {

std::int64_t now_unix_ms() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

std::string utc_text(std::int64_t unix_s) {
    if (unix_s == 0) return "";
    const std::time_t seconds = unix_s;
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text;
}

}  // namespace clarity::coordinator
