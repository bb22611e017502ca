#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/time_zone.hpp"

namespace clarity {

/// When a node may pull from origins: windows of its wall clock. Pure; all times are arguments.
///
/// "22:00-06:00" holds every night, "mon-fri 22:00-06:00" those that begin on these days,
/// "sat 00:00-24:00" a whole day. What the clock skips or repeats when summer time begins or ends
/// is skipped or repeated here too.
class WanHours {
  public:
    /// An empty list = always. Errors name the window.
    [[nodiscard]] static Result<WanHours> parse(const std::vector<std::string>& windows);

    [[nodiscard]] bool always() const { return windows_.empty(); }
    [[nodiscard]] bool open(const TimeZone& zone, std::int64_t unix_s) const;
    /// The next full minute at which open() is another; nothing within eight days = none.
    [[nodiscard]] std::optional<std::int64_t> next_change(const TimeZone& zone,
                                                          std::int64_t unix_s) const;

  private:
    struct Window {
        std::uint8_t days = 0x7f;  ///< bit 0 = Monday
        std::int64_t from_s = 0;   ///< of the day
        std::int64_t to_s = 0;     ///< ≤ from_s: on the next day
    };
    std::vector<Window> windows_;

    [[nodiscard]] static Result<Window> parse_window(std::string_view text);
};

/// The first minute after `unix_s` of another local day.
[[nodiscard]] std::int64_t next_midnight(const TimeZone& zone, std::int64_t unix_s);

}  // namespace clarity
