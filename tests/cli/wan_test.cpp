#include "tests/cli/person.hpp"

using namespace clarity;
using namespace clarity::test;

namespace {

const std::string command = "/api/v1/agents/id-1/command";

void with_site(FakeCoordinator& fake) {
    fake.on("GET /api/v1/agents", Json::array({Json{{"server", "edge-1"}, {"server_id", "id-1"}},
                                               Json{{"server", "edge-2"}, {"server_id", "id-2"}}}));
    for (const auto* id : {"id-1", "id-2"}) {
        const auto path = std::string("/api/v1/agents/") + id + "/command";
        fake.on("POST " + path, Json{{"nonce", "n"}, {"uplinks", 2}}, 202);
        fake.on("GET " + path + "/n", Json{{"nonce", "n"}, {"ok", true}, {"text", "paused"}});
    }
}

}  // namespace

TEST_CASE("wan pause and resume: every server of a site, or one, each with what it said", "[cli]") {
    const Person person;
    FakeCoordinator fake;
    person.login(fake);
    with_site(fake);
    const auto done = person.run({"wan", "pause", "acme/dc-1"});
    CAPTURE(done.err);
    CHECK(done.code == 0);
    CHECK(has(done.out, "edge-1"));
    CHECK(has(done.out, "edge-2"));
    REQUIRE(fake.received("POST " + command).size() == 1);
    auto sent = *parse_json(fake.received("POST " + command)[0]);
    CHECK(sent.at("action") == "wan-pause");
    CHECK(sent.at("argument") == "");
    const auto now = std::time(nullptr);
    CHECK(person.run({"wan", "pause", "acme/dc-1", "edge-1", "--for", "2h"}).code == 0);
    sent = *parse_json(fake.received("POST " + command)[1]);
    const auto until = std::stoll(sent.at("argument").get<std::string>());
    CHECK(until >= now + 7200);
    CHECK(until <= now + 7260);
    CHECK(person.run({"wan", "resume", "acme/dc-1", "id-1"}).code == 0);
    CHECK(has(fake.received("POST " + command)[2], "wan-resume"));
    CHECK(fake.received("POST /api/v1/agents/id-2/command").size() == 1);
    CHECK(person.run({"wan", "pause", "acme/dc-1", "edge-9"}).code == 1);
    CHECK(person.run({"wan", "pause"}).code == 2);
}

TEST_CASE("wan pause: a server that refuses is 1, one that does not answer is 5", "[cli]") {
    const Person person;
    FakeCoordinator fake;
    person.login(fake);
    with_site(fake);
    fake.on("GET /api/v1/agents/id-2/command/n", Json::object(), 404);
    const auto silent = person.run({"wan", "pause", "acme/dc-1", "--timeout", "1"});
    CAPTURE(silent.err);
    CHECK(silent.code == 5);
    CHECK(has(silent.out, "no answer"));
    fake.on("GET " + command + "/n", Json{{"ok", false}, {"text", "disk full"}});
    const auto refused = person.run({"wan", "pause", "acme/dc-1", "edge-1"});
    CHECK(refused.code == 1);
    CHECK(has(refused.out, "disk full"));
}

TEST_CASE("wan show: states, budgets and bytes by reason", "[cli]") {
    const Person person;
    FakeCoordinator fake;
    person.login(fake);
    const Json wan{{"state", "spent"},
                   {"until", "2026-11-24T00:00:00Z"},
                   {"spent_bytes", 1 << 20},
                   {"budget_bytes", 1 << 20},
                   {"rate_bytes_s", 2048}};
    const Json by{{"first", 1024}, {"resumed", 2048}, {"duplicate", 0}, {"repaired", 3072}};
    fake.on("GET /api/v1/sites/acme/dc-1/status",
            Json{{"site", "acme/dc-1"},
                 {"servers", Json::array({Json{{"server", "edge-1"}, {"wan", wan}},
                                          Json{{"server", "edge-2"}}})},
                 {"artifacts", Json::array({Json{{"artifact", "noise"},
                                                 {"version", "1.0.0"},
                                                 {"wan_bytes", 6144},
                                                 {"wan", by},
                                                 {"fetcher", nullptr}}})}});
    const auto shown = person.run({"wan", "show", "acme/dc-1"});
    CAPTURE(shown.out, shown.err);
    CHECK(shown.code == 0);
    for (const auto* part :
         {"spent", "2026-11-24T00:00:00Z", "1.0 MiB", "2.0 KiB", "3.0 KiB", "noise", "edge-2"}) {
        CHECK(has(shown.out, part));
    }
    const auto json = person.run({"wan", "show", "acme/dc-1", "edge-1", "-o", "json"});
    const auto parsed = parse_json(json.out);
    REQUIRE(parsed);
    CHECK(parsed->at("servers").size() == 1);
    CHECK(parsed->at("artifacts")[0].at("wan") == by);
}
