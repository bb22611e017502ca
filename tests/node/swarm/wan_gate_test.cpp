#include "node/swarm/wan_gate.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

#include "site.hpp"

using namespace clarity;

namespace {

TimeZone berlin() {
    std::ifstream file("/usr/share/zoneinfo/Europe/Berlin", std::ios::binary);
    std::ostringstream out;
    out << file.rdbuf();
    return TimeZone::parse("Europe/Berlin", out.str()).value();
}

WanHours hours(std::vector<std::string> windows) {
    const auto out = WanHours::parse(windows);
    REQUIRE(out);
    return *out;
}

constexpr std::int64_t hour = 3600;
constexpr std::int64_t monday = 1795392000;  ///< 2026-11-23 00:00 UTC

}  // namespace

TEST_CASE("wan hours: a window over midnight, and one on some days only") {
    const TimeZone utc;
    const auto nights = hours({"22:00-06:00"});
    CHECK(nights.open(utc, monday));
    CHECK(nights.open(utc, monday + 6 * hour - 1));
    CHECK_FALSE(nights.open(utc, monday + 6 * hour));
    CHECK_FALSE(nights.open(utc, monday + 22 * hour - 1));
    CHECK(nights.open(utc, monday + 22 * hour));
    CHECK(nights.next_change(utc, monday + 12 * hour) == monday + 22 * hour);
    CHECK(nights.next_change(utc, monday + 23 * hour) == monday + 30 * hour);

    const auto weekdays = hours({"mon-fri 22:00-06:00", "sun 00:00-24:00"});
    CHECK_FALSE(weekdays.open(utc, monday + 1 * hour));  // Sunday's night is not in the list
    CHECK(weekdays.open(utc, monday + 25 * hour));       // Monday's is
    CHECK(weekdays.open(utc, monday + 5 * 24 * hour));   // Friday's goes into Saturday
    CHECK_FALSE(weekdays.open(utc, monday + 5 * 24 * hour + 6 * hour));
    CHECK(weekdays.open(utc, monday + 6 * 24 * hour + 12 * hour));
    CHECK(hours({"fri-mon 10:00-11:00"}).open(utc, monday + 10 * hour));
    CHECK_FALSE(hours({"fri-mon 10:00-11:00"}).open(utc, monday + 34 * hour));
    CHECK(hours({}).always());
    CHECK(hours({}).open(utc, monday));
    CHECK(hours({}).next_change(utc, monday) == std::nullopt);
}

TEST_CASE("wan hours: they follow the wall clock through both ends of summer time") {
    const auto zone = berlin();
    const auto early = hours({"02:30-04:00"});
    // 2026-03-29: 02:00 is followed by 03:00, so that the window begins at what is 03:00.
    constexpr std::int64_t spring = 1774746000;  // 01:00 UTC
    CHECK_FALSE(early.open(zone, spring - 1));
    CHECK(early.open(zone, spring));
    CHECK(early.next_change(zone, spring - 600) == spring);
    CHECK(early.next_change(zone, spring) == spring + hour);
    // 2026-10-25: 02:00 to 03:00 comes twice.
    constexpr std::int64_t autumn = 1792890000;  // 01:00 UTC
    CHECK(early.open(zone, autumn - 1));
    CHECK_FALSE(early.open(zone, autumn));  // 02:00 again
    CHECK(early.open(zone, autumn + hour / 2));
    CHECK(early.next_change(zone, autumn + hour / 2) == autumn + 2 * hour);
    // A day of 25 or 23 hours has one midnight.
    CHECK(next_midnight(zone, autumn) == autumn + 22 * hour);
    CHECK(next_midnight(zone, spring) == spring + 21 * hour);
}

TEST_CASE("wan hours: what is no window is told by name") {
    for (const auto* bad :
         {"", "22-06", "22:00", "22:00-22:00", "25:00-26:00", "24:00-01:00", "xyz 22:00-06:00",
          "mon- 22:00-06:00", "mon-fri", "22:60-23:00", "22:00-06:00 mon", "2 :00-06:00"}) {
        CAPTURE(bad);
        const auto parsed = WanHours::parse({bad});
        REQUIRE_FALSE(parsed);
        CHECK(parsed.error().message.find(std::string("\"") + bad + "\"") != std::string::npos);
    }
    CHECK_FALSE(WanHours::parse(std::vector<std::string>(33, "22:00-06:00")));
}

TEST_CASE("wan gate: a budget is used up to the byte and comes back at local midnight") {
    WanGate gate({{}, berlin(), 1000});
    constexpr std::int64_t noon = monday + 11 * hour;
    CHECK(gate.look(noon).state == "open");
    CHECK(gate.left_bytes() == 1000U);
    gate.spend(999, noon);
    CHECK(gate.look(noon).state == "open");
    gate.spend(5, noon + 1);
    const auto spent = gate.look(noon + 2);
    CHECK(spent.state == "spent");
    CHECK(spent.spent_bytes == 1004);
    CHECK(gate.left_bytes() == 0U);
    CHECK(spent.until_unix_ms == (monday + 23 * hour) * 1000);  // midnight there
    CHECK(gate.look(monday + 23 * hour - 1).state == "spent");
    CHECK(gate.look(monday + 23 * hour).state == "open");
    CHECK(gate.left_bytes() == 1000U);
    CHECK(gate.is_timed());
    CHECK_FALSE(WanGate({}).is_timed());
}

TEST_CASE("wan gate: a pause comes before all else, ends by command or by itself") {
    WanGate gate({hours({"22:00-06:00"}), {}, 0});
    CHECK(gate.look(monday).state == "open");
    const auto closed = gate.look(monday + 7 * hour);
    CHECK(closed.state == "closed");
    CHECK(closed.until_unix_ms == (monday + 22 * hour) * 1000);
    gate.pause(0);
    CHECK(gate.look(monday + 7 * hour).state == "paused");
    CHECK(gate.look(monday + 7 * hour).until_unix_ms == 0);
    CHECK(gate.look(monday + 23 * hour).state == "paused");
    gate.resume();
    CHECK(gate.look(monday + 23 * hour).state == "open");
    gate.pause(monday + 24 * hour);
    CHECK(gate.look(monday + 24 * hour - 1).until_unix_ms == (monday + 24 * hour) * 1000);
    CHECK(gate.look(monday + 24 * hour).state == "open");
    CHECK_FALSE(gate.ledger().paused);
    // Another pause before the first is over counts at once.
    gate.pause(monday + 26 * hour);
    CHECK(gate.look(monday + 25 * hour).until_unix_ms == (monday + 26 * hour) * 1000);
    gate.pause(monday + 28 * hour);
    CHECK(gate.look(monday + 25 * hour).until_unix_ms == (monday + 28 * hour) * 1000);
}

TEST_CASE("wan gate: the ledger is on disk as it was, nothing there is a fresh one") {
    TempFolder folder;
    const auto path = folder.path + "/wan.json";
    CHECK(load_ledger(path).value() == WanLedger{});
    const WanLedger ledger{true, 1795392000, 20780, 123456789012};
    REQUIRE(save_ledger(path, ledger));
    CHECK(load_ledger(path).value() == ledger);
    std::ofstream(path) << "{\"paused\": 7";
    CHECK_FALSE(load_ledger(path));
}
