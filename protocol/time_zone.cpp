#include "protocol/time_zone.hpp"

#include <algorithm>
#include <chrono>

namespace clarity {
namespace {

constexpr std::size_t file_max_bytes = 64U << 10;
constexpr std::int64_t day_s = 86400;
constexpr std::int64_t week_s = 7 * day_s;

/// Big-endian numbers of a file, from front to back; reading past the end makes it bad.
struct Reader {
    std::string_view left;
    bool bad = false;

    std::string_view take(std::size_t count) {
        if (count > left.size()) bad = true;
        const auto out = left.substr(0, bad ? 0 : count);
        left.remove_prefix(out.size());
        return out;
    }
    std::int64_t number(std::size_t bytes) {
        const auto text = take(bytes);
        if (text.empty()) return 0;
        auto value = static_cast<std::uint64_t>(static_cast<std::int8_t>(text[0]));
        for (const char each : text.substr(1)) value = value << 8 | static_cast<std::uint8_t>(each);
        return static_cast<std::int64_t>(value);
    }
};

struct Head {
    char version = 0;
    std::uint32_t counts[6] = {};  ///< isut, isstd, leap, time, type, char

    [[nodiscard]] std::size_t body_bytes(std::size_t time_bytes) const {
        const auto [isut, isstd, leap, time, type, chars] = counts;
        return time * (time_bytes + 1) + type * std::size_t{6} + chars + leap * (time_bytes + 4) +
               isstd + isut;
    }
};

std::optional<Head> read_head(Reader& reader) {
    Head out;
    if (reader.take(4) != "TZif") return std::nullopt;
    out.version = reader.take(1).empty() ? '\0' : '2';
    (void)reader.take(15);
    for (auto& count : out.counts) {
        count = static_cast<std::uint32_t>(reader.number(4));
        if (count > file_max_bytes) return std::nullopt;
    }
    return reader.bad ? std::nullopt : std::optional(out);
}

std::int64_t floor_div(std::int64_t a, std::int64_t b) {
    return a / b - (a % b < 0 ? 1 : 0);
}

/// Days since 1970-01-01 of a date.
std::int64_t day_of(std::int64_t year, std::int64_t month, std::int64_t day) {
    namespace ch = std::chrono;
    const ch::year_month_day date{ch::year(static_cast<int>(year)),
                                  ch::month(static_cast<unsigned>(month)),
                                  ch::day(static_cast<unsigned>(day))};
    return ch::sys_days(date).time_since_epoch().count();
}

std::int64_t year_of(std::int64_t unix_s) {
    namespace ch = std::chrono;
    const ch::sys_days day{ch::days(floor_div(unix_s, day_s))};
    return int(ch::year_month_day(day).year());
}

bool is_leap(std::int64_t year) {
    return std::chrono::year(static_cast<int>(year)).is_leap();
}

/// 0 = Monday. 1970-01-01 was a Thursday.
std::int64_t weekday_of(std::int64_t day) {
    return ((day + 3) % 7 + 7) % 7;
}

}  // namespace

/// Reads the footer from front to back.
struct TimeZone::FooterReader {
    std::string_view left;
    bool bad = false;

    bool at(char each) const { return !left.empty() && left.front() == each; }
    bool skip(char each) {
        if (!at(each)) return false;
        left.remove_prefix(1);
        return true;
    }
    void name() {
        const bool quoted = skip('<');
        std::size_t size = 0;
        const auto part = [&](char c) {
            const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
            return letter || (quoted && (c == '+' || c == '-' || (c >= '0' && c <= '9')));
        };
        while (size < left.size() && part(left[size])) ++size;
        left.remove_prefix(size);
        if (size < 3 || (quoted && !skip('>'))) bad = true;
    }
    std::int64_t number(std::int64_t max) {
        std::int64_t value = 0;
        std::size_t size = 0;
        while (size < left.size() && size < 4 && left[size] >= '0' && left[size] <= '9') {
            value = value * 10 + (left[size++] - '0');
        }
        left.remove_prefix(size);
        if (size == 0 || value > max) bad = true;
        return value;
    }
    /// [+-]hh[:mm[:ss]]
    std::int64_t time() {
        const bool negative = skip('-');
        if (!negative) (void)skip('+');
        std::int64_t value = number(167) * 3600;
        if (skip(':')) value += number(59) * 60;
        if (skip(':')) value += number(59);
        return negative ? -value : value;
    }
    Rule rule() {
        Rule out;
        if (skip('M')) {
            out.month = number(12);
            if (!skip('.')) bad = true;
            out.week = number(5);
            if (!skip('.')) bad = true;
            out.day = number(6);
            bad = bad || out.month == 0 || out.week == 0;
        } else {
            out.kind = skip('J') ? 'J' : 'D';
            out.day = number(365);
            bad = bad || (out.kind == 'J' && out.day == 0);
        }
        if (skip('/')) out.time_s = time();
        return out;
    }

    std::optional<Footer> read() {
        Footer out;
        name();
        out.standard_s = -time();
        if (!left.empty() && !bad) {
            name();
            out.summer_s = !left.empty() && !at(',') ? -time() : out.standard_s + 3600;
            if (!skip(',')) bad = true;
            out.begins = rule();
            if (!skip(',')) bad = true;
            out.ends = rule();
        }
        if (bad || !left.empty()) return std::nullopt;
        return out;
    }

    /// When it happens in that year, in the local time that was in force before.
    static std::int64_t moment_of(const Rule& rule, std::int64_t year) {
        if (rule.kind == 'M') {
            const auto first = day_of(year, rule.month, 1);
            // Weekdays of POSIX count from Sunday, ours from Monday.
            const auto wanted = (rule.day + 6) % 7;
            auto day = first + (wanted - weekday_of(first) + 7) % 7 + (rule.week - 1) * 7;
            const auto next =
                rule.month == 12 ? day_of(year + 1, 1, 1) : day_of(year, rule.month + 1, 1);
            while (day >= next) day -= 7;  // week 5 = the last one
            return day * day_s + rule.time_s;
        }
        auto day = rule.day;
        if (rule.kind == 'J') day = day - 1 + (is_leap(year) && day >= 60 ? 1 : 0);
        return (day_of(year, 1, 1) + day) * day_s + rule.time_s;
    }
};

Result<TimeZone> TimeZone::parse(std::string_view name, std::string_view bytes) {
    const auto bad = [&] { return fail(Errc::invalid, "{} is no time zone file", name); };
    Reader reader{bytes.substr(0, file_max_bytes)};
    const auto old = read_head(reader);
    if (!old) return bad();
    // The first part has 32-bit times, for readers of the last century.
    (void)reader.take(old->body_bytes(4));
    const auto head = read_head(reader);
    if (!head || reader.bad) return bad();
    const auto [isut, isstd, leap, times, types, chars] = head->counts;
    TimeZone out;
    std::vector<std::int64_t> at;
    for (std::uint32_t i = 0; i < times && !reader.bad; ++i) at.push_back(reader.number(8));
    const auto which = reader.take(times);
    std::vector<std::int64_t> offsets;
    for (std::uint32_t i = 0; i < types && !reader.bad; ++i) {
        offsets.push_back(reader.number(4));
        (void)reader.take(2);
    }
    (void)reader.take(chars + leap * std::size_t{12} + isstd + isut);
    if (reader.bad || offsets.empty() || !std::is_sorted(at.begin(), at.end())) return bad();
    for (const auto each : offsets) {
        if (each < -week_s || each > week_s) return bad();
    }
    out.first_offset_s_ = offsets.front();
    for (std::size_t i = 0; i < at.size(); ++i) {
        const auto type = static_cast<std::uint8_t>(which[i]);
        if (type >= offsets.size()) return bad();
        out.changes_.push_back({at[i], offsets[type]});
    }
    if (reader.take(1) != "\n") return bad();
    const auto end = reader.left.find('\n');
    if (end == std::string_view::npos) return bad();
    if (end > 0) {
        out.footer_ = FooterReader{reader.left.substr(0, end)}.read();
        if (!out.footer_) return bad();
    }
    return out;
}

std::int64_t TimeZone::footer_offset_s(const Footer& footer, std::int64_t unix_s) {
    if (!footer.begins || !footer.ends) return footer.standard_s;
    const auto year = year_of(unix_s + footer.standard_s);
    const auto begins = FooterReader::moment_of(*footer.begins, year) - footer.standard_s;
    const auto ends = FooterReader::moment_of(*footer.ends, year) - footer.summer_s;
    // In the south summer goes over the turn of the year.
    const bool summer =
        begins < ends ? unix_s >= begins && unix_s < ends : unix_s >= begins || unix_s < ends;
    return summer ? footer.summer_s : footer.standard_s;
}

std::int64_t TimeZone::offset_s(std::int64_t unix_s) const {
    const auto after = std::upper_bound(
        changes_.begin(), changes_.end(), unix_s,
        [](std::int64_t time, const Change& each) { return time < each.at_unix_s; });
    if (after == changes_.end() && footer_) return footer_offset_s(*footer_, unix_s);
    return after == changes_.begin() ? first_offset_s_ : std::prev(after)->offset_s;
}

TimeZone::Local TimeZone::local(std::int64_t unix_s) const {
    const auto wall = unix_s + offset_s(unix_s);
    const auto day = floor_div(wall, day_s);
    return {day, wall - day * day_s, static_cast<std::uint32_t>(weekday_of(day))};
}

}  // namespace clarity
