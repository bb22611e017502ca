#include "node/swarm/offenders.hpp"

#include <catch2/catch.hpp>

using clarity::swarm::Offenders;

TEST_CASE("offenders: shut out for an hour, twice as long each time, a day at most") {
    constexpr std::int64_t hour = 3'600'000;
    Offenders offenders;
    CHECK_FALSE(offenders.barred("edge-2", 0));
    CHECK(offenders.note("edge-2", 0) == hour);
    CHECK(offenders.barred("edge-2", hour - 1));
    CHECK_FALSE(offenders.barred("edge-2", hour));
    CHECK_FALSE(offenders.barred("edge-3", 0));
    CHECK(offenders.note("edge-2", hour) == 2 * hour);
    for (int i = 0; i < 100; ++i) CHECK(offenders.note("edge-2", hour) <= 24 * hour);
    CHECK(offenders.note("edge-2", hour) == 24 * hour);
    CHECK(offenders.counts() == std::map<std::string, std::uint64_t>{{"edge-2", 103}});
}

TEST_CASE("offenders: an address is found among endpoints, however it is spelt", "[swarm]") {
    using clarity::swarm::is_at;
    CHECK(is_at("10.0.0.1:8473", "10.0.0.1"));
    CHECK_FALSE(is_at("10.0.0.1:8473", "10.0.0.10"));
    CHECK(is_at("[fd00::1]:8473", "fd00::1"));
    CHECK(is_at("[fd00:0:0::1]:8473", "fd00::1"));
    CHECK_FALSE(is_at("[fd00::2]:8473", "fd00::1"));
    CHECK_FALSE(is_at("edge-1:8473", "10.0.0.1"));
    CHECK_FALSE(is_at("", ""));
}
