#include "node/wan_policy.hpp"

#include <catch2/catch.hpp>

using namespace clarity;

namespace {

struct FakeSwarm {
    std::int64_t until = -1;
    bool resumed = false;
    Result<void> kept = {};
    void pause_wan(std::int64_t until_unix_s, const std::function<void(Result<void>)>& done) {
        until = until_unix_s;
        done(kept);
    }
    void resume_wan(const std::function<void(Result<void>)>& done) {
        resumed = true;
        done(kept);
    }
};

}  // namespace

TEST_CASE("wan policy: hours and zone of agent.yml, and what is wrong with them by line") {
    const auto loaded = parse_agent_config("agent.yml", R"(
wan:
  hours: ["mon-fri 22:00-06:00", "sun 00:00-24:00"]
  time_zone: Europe/Berlin
  budget_bytes_day: 1000000
)");
    REQUIRE(loaded);
    CHECK(loaded->warnings.empty());
    const auto policy = wan_policy_of(loaded->config);
    REQUIRE(policy);
    CHECK(policy->budget_bytes_day == 1'000'000);
    CHECK(policy->zone.offset_s(1782864000) == 7200);
    CHECK_FALSE(policy->hours.open(policy->zone, 1795392000 + 12 * 3600));
    const auto bad = parse_agent_config("agent.yml", "wan:\n  hours: [\"22-06\"]\n");
    REQUIRE_FALSE(bad);
    CHECK(bad.error().message.find("agent.yml:2") != std::string::npos);
    CHECK(bad.error().message.find("wan.hours") != std::string::npos);
}

TEST_CASE("wan policy: a zone is a name of the database, never a path out of it") {
    CHECK(load_time_zone("UTC", "/nowhere"));
    CHECK(load_time_zone("Australia/Lord_Howe"));
    CHECK(load_time_zone("Etc/GMT+5"));
    for (const auto* bad : {"", "Nowhere/Town", "../../etc/passwd", "/etc/localtime", "Europe/..",
                            "Europe/Ber lin", "posixrules;x"}) {
        CAPTURE(bad);
        const auto zone = load_time_zone(bad);
        REQUIRE_FALSE(zone);
        CHECK(zone.error().message.find("wan.time_zone") != std::string::npos);
    }
}

TEST_CASE("wan orders: pause until a time or for good, resume, and nothing else") {
    FakeSwarm swarm;
    Result<std::string> said;
    const auto done = [&](Result<std::string> result) { said = std::move(result); };
    CHECK_FALSE(act_on_wan(swarm, "restart", "", done));
    CHECK(act_on_wan(swarm, "wan-pause", "", done));
    CHECK(swarm.until == 0);
    CHECK(said.value() == "paused");
    CHECK(act_on_wan(swarm, "wan-pause", "1795392000", done));
    CHECK(swarm.until == 1795392000);
    CHECK(act_on_wan(swarm, "wan-resume", "", done));
    CHECK(swarm.resumed);
    swarm.until = -1;
    for (const auto* bad : {"soon", "-5", "12x"}) {
        CHECK(act_on_wan(swarm, "wan-pause", bad, done));
        CHECK_FALSE(said);
        CHECK(swarm.until == -1);
    }
    swarm.kept = fail(Errc::no_space, "disk full");
    CHECK(act_on_wan(swarm, "wan-pause", "", done));
    REQUIRE_FALSE(said);
    CHECK(said.error().message.find("not kept") != std::string::npos);
}
