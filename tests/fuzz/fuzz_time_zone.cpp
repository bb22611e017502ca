#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "protocol/time_zone.hpp"

// A file of the system's time zone database. Whatever it says, every moment has a local time.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace clarity;
    const auto zone =
        TimeZone::parse("fuzzed", std::string_view(reinterpret_cast<const char*>(data), size));
    if (!zone) return 0;
    for (const std::int64_t at : {std::int64_t{0}, std::int64_t{1'795'000'000},
                                  std::int64_t{4'102'444'800}, std::int64_t{-2'000'000'000}}) {
        const auto local = zone->local(at);
        if (local.second < 0 || local.second >= 86'400 || local.weekday > 6) std::abort();
    }
    return 0;
}
