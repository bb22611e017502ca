#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/error.hpp"

namespace clarity {

/// Local time of a place, from a compiled file of the system's time zone database (TZif, RFC 9636):
/// the changes it lists, and after the last one the rule of its footer
/// ("CET-1CEST,M3.5.0,M10.5.0/3", as in POSIX TZ). Pure and total: any bytes give a zone or an
/// error. Leap seconds are not known.
class TimeZone {
  public:
    TimeZone() = default;  ///< UTC

    /// `name` is for messages. At most 64 KiB are looked at.
    [[nodiscard]] static Result<TimeZone> parse(std::string_view name, std::string_view bytes);

    /// What to add to UTC to get local time then.
    [[nodiscard]] std::int64_t offset_s(std::int64_t unix_s) const;

    /// Wall clock of a moment.
    struct Local {
        std::int64_t day = 0;       ///< since 1970-01-01
        std::int64_t second = 0;    ///< of the day
        std::uint32_t weekday = 0;  ///< 0 = Monday
    };
    [[nodiscard]] Local local(std::int64_t unix_s) const;

  private:
    /// When summer time begins or ends: a day of a year, and a time of that day.
    struct Rule {
        char kind = 'M';  ///< M month.week.weekday, J day 1-365 without Feb 29, D day 0-365
        std::int64_t month = 0;
        std::int64_t week = 0;
        std::int64_t day = 0;
        std::int64_t time_s = 7200;
    };
    /// The footer.
    struct Footer {
        std::int64_t standard_s = 0;
        std::int64_t summer_s = 0;
        std::optional<Rule> begins;  ///< none = no summer time
        std::optional<Rule> ends;
    };
    struct Change {
        std::int64_t at_unix_s = 0;
        std::int64_t offset_s = 0;
    };
    struct FooterReader;

    std::int64_t first_offset_s_ = 0;  ///< before all changes
    std::vector<Change> changes_;
    std::optional<Footer> footer_;

    [[nodiscard]] static std::int64_t footer_offset_s(const Footer& footer, std::int64_t unix_s);
};

}  // namespace clarity
