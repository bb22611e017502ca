#include <catch2/catch.hpp>

#include "node/config.hpp"

using namespace clarity;

TEST_CASE("agent.yml: what is given counts, the rest has defaults") {
    const auto loaded = parse_agent_config("agent.yml", R"(
state_dir: /srv/a
coordinator: https://10.0.0.1:8470
server: edge-1
mesh: {listen: "10.0.0.2:8472"}
swarm: {listen: "0.0.0.0:8473", advertise: "10.0.0.2:8473"}
wan: {rate_limit_bytes_s: 1024}
)");
    REQUIRE(loaded);
    CHECK(loaded->warnings.empty());
    CHECK(loaded->config.mesh_listen == "tcp://10.0.0.2:8472");
    CHECK(loaded->config.mesh_advertise == "tcp://10.0.0.2:8472");
    CHECK(loaded->config.swarm_advertise == "10.0.0.2:8473");
    CHECK(loaded->config.http_listen == "127.0.0.1:8474");
    CHECK(loaded->config.wan_rate_limit_bytes_s == 1024);
    CHECK(loaded->config.server == "edge-1");
}

TEST_CASE("agent.yml: an unknown key is a warning with the nearest known name") {
    const auto loaded = parse_agent_config("agent.yml", "statedir: /srv/a\n");
    REQUIRE(loaded);
    REQUIRE(loaded->warnings.size() == 1);
    CHECK(loaded->warnings[0].find("agent.yml:1") != std::string::npos);
    CHECK(loaded->warnings[0].find("state_dir") != std::string::npos);
}

TEST_CASE("agent.yml: wrong values are errors with file and line, all in one run") {
    const auto loaded =
        parse_agent_config("agent.yml",
                           "coordinator: http://x\nwan: {rate_limit_bytes_s: fast}\n"
                           "log: {level: loud}\n");
    REQUIRE_FALSE(loaded);
    for (const auto* line : {"agent.yml:1", "agent.yml:2", "agent.yml:3"}) {
        CHECK(loaded.error().message.find(line) != std::string::npos);
    }
    CHECK_FALSE(parse_agent_config("agent.yml", "state_dir: [\n"));
}

TEST_CASE("agent.yml: a rate of the WAN that looks like a stall is refused with the least one") {
    for (const auto* rate : {"1", "1000", "1023"}) {
        const auto loaded = parse_agent_config(
            "agent.yml", std::string("server: a\nwan: {rate_limit_bytes_s: ") + rate + "}\n");
        REQUIRE_FALSE(loaded);
        CHECK(loaded.error().message.find("agent.yml:2") != std::string::npos);
        CHECK(loaded.error().message.find("at least 1024") != std::string::npos);
    }
    CHECK(parse_agent_config("agent.yml", "wan: {rate_limit_bytes_s: 0}\n"));
}

TEST_CASE("agent.yml: an address that no peer can reach is refused at enrolment") {
    CHECK(check_advertised("mesh.advertise", "tcp://10.0.0.2:8472"));
    CHECK(check_advertised("mesh.advertise", "tcp://edge-1.lan:8472"));
    for (const auto* bad : {"", "tcp://0.0.0.0:8472", "[::]:1", "10.0.0.1", "10.0.0.1:0"}) {
        const auto checked = check_advertised("mesh.advertise", bad);
        REQUIRE_FALSE(checked);
        CHECK(checked.error().message.find("mesh.advertise") != std::string::npos);
    }
}
