#include "cli/view/units.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>

namespace clarity::cli {
namespace {

constexpr std::array<const char*, 6> names = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};

std::string scaled(double value, const char* suffix) {
    std::size_t unit = 0;
    // 999.5 would show as "1000": it is 1.0 of the next unit for whoever reads it.
    while (value >= 999.5 && unit + 1 < names.size()) {
        value /= 1024;
        ++unit;
    }
    if (unit == 0 || value >= 99.95) return fmt::format("{:.0f} {}{}", value, names[unit], suffix);
    return fmt::format("{:.1f} {}{}", value, names[unit], suffix);
}

}  // namespace

std::string format_bytes(std::uint64_t bytes) {
    return scaled(static_cast<double>(bytes), "");
}

std::string format_rate(double bytes_per_s) {
    if (!std::isfinite(bytes_per_s) || bytes_per_s < 0) bytes_per_s = 0;
    return scaled(bytes_per_s, "/s");
}

std::string format_duration(double seconds) {
    if (!std::isfinite(seconds) || seconds < 0) return "never";
    if (seconds < 9.95) return fmt::format("{:.1f} s", seconds);
    if (seconds > 1e15) seconds = 1e15;
    const auto whole = static_cast<std::int64_t>(std::llround(seconds));
    if (whole < 60) return fmt::format("{} s", whole);
    if (whole < 3600) return fmt::format("{} m {:02} s", whole / 60, whole % 60);
    if (whole < 86400) return fmt::format("{} h {:02} m", whole / 3600, whole % 3600 / 60);
    return fmt::format("{} d {} h", whole / 86400, whole % 86400 / 3600);
}

Result<std::int64_t> parse_duration(std::string_view text) {
    constexpr std::int64_t longest = 10LL * 366 * 86400;
    std::int64_t value = 0;
    std::size_t at = 0;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
        value = value * 10 + (text[at] - '0');
        if (value > longest) break;
    }
    const auto unit = text.substr(at);
    std::int64_t factor = 0;
    if (unit.empty() || unit == "s") factor = 1;
    if (unit == "m") factor = 60;
    if (unit == "h") factor = 3600;
    if (unit == "d") factor = 86400;
    if (at == 0 || factor == 0 || value == 0 || value > longest / factor) {
        return fail(Errc::invalid,
                    "\"{}\" is not a duration: write a number and s, m, h or d, such as 90s or 10m",
                    text);
    }
    return value * factor;
}

std::string format_time(std::int64_t unix_s) {
    if (unix_s <= 0) return "";
    const std::time_t when = unix_s;
    std::tm parts{};
    gmtime_r(&when, &parts);
    std::array<char, 40> text{};
    std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S UTC", &parts);
    return text.data();
}

std::string count_of(std::size_t count, std::string_view noun) {
    return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

double seconds_since(const std::string& time, std::int64_t now_unix_s) {
    std::tm parts{};
    const char* end = ::strptime(time.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
    if (end == nullptr) return -1;
    return std::max<double>(0, static_cast<double>(now_unix_s - ::timegm(&parts)));
}

}  // namespace clarity::cli
