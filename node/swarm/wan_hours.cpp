#include "node/swarm/wan_hours.hpp"

#include <algorithm>
#include <array>

namespace clarity {
namespace {

constexpr std::size_t windows_max = 32;
constexpr std::int64_t minute_s = 60;
constexpr std::int64_t day_s = 86400;
constexpr std::array<std::string_view, 7> day_names{"mon", "tue", "wed", "thu",
                                                    "fri", "sat", "sun"};

std::optional<std::size_t> day_of(std::string_view name) {
    const auto at = std::find(day_names.begin(), day_names.end(), name);
    if (at == day_names.end()) return std::nullopt;
    return static_cast<std::size_t>(at - day_names.begin());
}

/// "mon-fri", "sat", "fri-mon".
std::optional<std::uint8_t> days_of(std::string_view text) {
    const auto dash = text.find('-');
    const auto first = day_of(text.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : day_of(text.substr(dash + 1));
    if (!first || !last) return std::nullopt;
    std::uint8_t out = 0;
    for (auto day = *first;; day = (day + 1) % 7) {
        out = static_cast<std::uint8_t>(out | 1U << day);
        if (day == *last) return out;
    }
}

/// "06:30" or "24:00".
std::optional<std::int64_t> time_of(std::string_view text) {
    const auto digit = [&](std::size_t i) { return text[i] >= '0' && text[i] <= '9'; };
    if (text.size() != 5 || text[2] != ':' || !digit(0) || !digit(1) || !digit(3) || !digit(4)) {
        return std::nullopt;
    }
    const auto hours = (text[0] - '0') * 10 + (text[1] - '0');
    const auto minutes = (text[3] - '0') * 10 + (text[4] - '0');
    const auto out = hours * 3600L + minutes * minute_s;
    if (minutes > 59 || out > day_s) return std::nullopt;
    return out;
}

}  // namespace

Result<WanHours::Window> WanHours::parse_window(std::string_view text) {
    Window out;
    auto times = text;
    if (const auto space = text.find(' '); space != std::string_view::npos) {
        const auto days = days_of(text.substr(0, space));
        if (days) out.days = *days;
        times = days ? text.substr(space + 1) : std::string_view();
    }
    const auto from = time_of(times.substr(0, times.find('-')));
    const auto dash = times.find('-');
    const auto to =
        time_of(dash == std::string_view::npos ? std::string_view() : times.substr(dash + 1));
    if (!from || !to || *from == *to || *from == day_s) {
        return fail(Errc::invalid,
                    "\"{}\" is no window of time; it looks like \"22:00-06:00\" or \"mon-fri "
                    "22:00-06:00\"",
                    text);
    }
    out.from_s = *from;
    out.to_s = *to;
    return out;
}

Result<WanHours> WanHours::parse(const std::vector<std::string>& windows) {
    if (windows.size() > windows_max) {
        return fail(Errc::invalid, "{} windows of time; at most {}", windows.size(), windows_max);
    }
    WanHours out;
    for (const auto& each : windows) {
        CLARITY_TRY(const auto window, parse_window(each));
        out.windows_.push_back(window);
    }
    return out;
}

bool WanHours::open(const TimeZone& zone, std::int64_t unix_s) const {
    if (always()) return true;
    const auto local = zone.local(unix_s);
    const auto today = 1U << local.weekday;
    const auto yesterday = 1U << (local.weekday + 6) % 7;
    return std::any_of(windows_.begin(), windows_.end(), [&](const Window& each) {
        const bool begun = (each.days & today) != 0 && local.second >= each.from_s;
        if (each.to_s > each.from_s) return begun && local.second < each.to_s;
        return begun || ((each.days & yesterday) != 0 && local.second < each.to_s);
    });
}

std::optional<std::int64_t> WanHours::next_change(const TimeZone& zone, std::int64_t unix_s) const {
    const bool now = open(zone, unix_s);
    const auto first = (unix_s / minute_s + 1) * minute_s;
    for (auto at = first; at < first + 8 * day_s; at += minute_s) {
        if (open(zone, at) != now) return at;
    }
    return std::nullopt;
}

std::int64_t next_midnight(const TimeZone& zone, std::int64_t unix_s) {
    const auto today = zone.local(unix_s).day;
    auto at = (unix_s / minute_s + 1) * minute_s;
    while (zone.local(at).day == today) at += minute_s;
    return at;
}

}  // namespace clarity
