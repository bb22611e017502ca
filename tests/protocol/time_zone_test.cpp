#include "protocol/time_zone.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

using namespace clarity;

namespace {

std::string file_of(const std::string& name) {
    std::ifstream file("/usr/share/zoneinfo/" + name, std::ios::binary);
    std::ostringstream out;
    out << file.rdbuf();
    return out.str();
}

TimeZone zone_of(const std::string& name) {
    const auto zone = TimeZone::parse(name, file_of(name));
    REQUIRE(zone);
    return *zone;
}

std::string be32(std::uint32_t value) {
    std::string out;
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
    return out;
}

/// A zone file with nothing but a footer.
std::string with_footer(const std::string& footer) {
    const auto head = [](std::uint32_t types, std::uint32_t chars) {
        return "TZif2" + std::string(15, '\0') + be32(0) + be32(0) + be32(0) + be32(0) +
               be32(types) + be32(chars);
    };
    return head(0, 0) + head(1, 4) + be32(0) + std::string(2, '\0') + std::string("UTC\0", 4) +
           "\n" + footer + "\n";
}

std::int64_t offset_with(const std::string& footer, std::int64_t unix_s) {
    const auto zone = TimeZone::parse("made up", with_footer(footer));
    REQUIRE(zone);
    return zone->offset_s(unix_s);
}

}  // namespace

TEST_CASE("time zone: summer time begins and ends where the database says, and its rule goes on") {
    const auto berlin = zone_of("Europe/Berlin");
    CHECK(berlin.offset_s(1774746000 - 1) == 3600);  // 2026-03-29 01:00 UTC
    CHECK(berlin.offset_s(1774746000) == 7200);
    CHECK(berlin.offset_s(1792890000 - 1) == 7200);  // 2026-10-25 01:00 UTC
    CHECK(berlin.offset_s(1792890000) == 3600);
    CHECK(berlin.offset_s(2531955600) == 7200);  // 2050-03-27 01:00 UTC: by the footer
    CHECK(berlin.offset_s(2531955600 - 1) == 3600);
    CHECK(berlin.offset_s(-86400LL * 365 * 200) != 3600);  // mean solar time, long ago
    const auto sydney = zone_of("Australia/Sydney");
    CHECK(sydney.offset_s(1767225600) == 11 * 3600);  // January
    CHECK(sydney.offset_s(1782864000) == 10 * 3600);  // July
    CHECK(sydney.offset_s(2540000000) == 10 * 3600);  // June 2050
    CHECK(zone_of("Asia/Kathmandu").offset_s(1767225600) == 20700);
    CHECK(TimeZone().offset_s(1767225600) == 0);
}

TEST_CASE("time zone: a local day, its second and its weekday") {
    const auto berlin = zone_of("Europe/Berlin");
    const auto local = berlin.local(1795474800);  // 2026-11-24 00:00 there, a Tuesday
    CHECK(local.day == 20781);
    CHECK(local.second == 0);
    CHECK(local.weekday == 1);
    CHECK(berlin.local(1795474799).weekday == 0);
    CHECK(berlin.local(1795474799).second == 86399);
    CHECK(TimeZone().local(-1).second == 86399);
    CHECK(TimeZone().local(-1).day == -1);
    CHECK(TimeZone().local(0).weekday == 3);  // 1970-01-01 was a Thursday
}

TEST_CASE("time zone: footers of every form") {
    CHECK(offset_with("<+0545>-5:45", 0) == 20700);
    CHECK(offset_with("EST5", 0) == -5 * 3600);
    CHECK(offset_with("EST5EDT,M3.2.0,M11.1.0", 1782864000) == -4 * 3600);
    CHECK(offset_with("IST-1GMT0,M10.5.0,M3.5.0/1", 1782864000) == 3600);  // winter is the odd one
    CHECK(offset_with("AAA3BBB,J60,J300", 1772344800) == -2 * 3600);  // March 1 is day 60, always
    CHECK(offset_with("AAA3BBB,0/0,J365/25", 1782864000) == -2 * 3600);  // summer all year
    for (const auto* bad :
         {"E5", "EST", "EST5EDT", "EST5EDT,M3.2.0", "EST5EDT,M13.2.0,M11.1.0",
          "EST5EDT,M3.2.7,M11.1.0", "EST999", "<+05>", "EST5EDT,J0,J5", "EST5 "}) {
        CAPTURE(bad);
        CHECK_FALSE(TimeZone::parse("made up", with_footer(bad)));
    }
}

TEST_CASE("time zone: any part of a file is refused, and changed bytes never harm") {
    const auto whole = file_of("Europe/Berlin");
    REQUIRE(whole.size() > 200);
    for (std::size_t size = 0; size < whole.size(); ++size) {
        CHECK_FALSE(TimeZone::parse("cut", std::string_view(whole).substr(0, size)));
    }
    for (std::size_t at = 0; at < whole.size(); ++at) {
        auto bytes = whole;
        bytes[at] = static_cast<char>(bytes[at] ^ 0x55);
        if (const auto zone = TimeZone::parse("changed", bytes)) {
            CHECK(std::abs(zone->offset_s(1767225600)) <= 168 * 3600 * 2);
            (void)zone->local(4102444800);
        }
    }
    CHECK_FALSE(TimeZone::parse("none", ""));
}
