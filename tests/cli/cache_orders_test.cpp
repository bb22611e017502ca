// Goal: orders about caches tell what each server said, and scripts can decide by the exit code.
#include "tests/cli/person.hpp"

using namespace clarity;
using namespace clarity::test;

namespace {

Json order(const char* server, const char* state) {
    return Json{{"server", server}, {"server_id", server}, {"state", state}, {"nonce", server}};
}

Json said(bool ok, const std::string& text) {
    return Json{{"nonce", "n"}, {"ok", ok}, {"text", text}};
}

const std::string site = "/api/v1/sites/acme/dc-1/";

void answer(FakeCoordinator& coordinator, const char* server, const Json& body) {
    coordinator.on("GET /api/v1/agents/" + std::string(server) + "/command/" + server, body);
}

}  // namespace

TEST_CASE("cache orders: what each server said, and the worst of it as exit code", "[cli]") {
    FakeCoordinator coordinator;
    const Person person;
    person.login(coordinator);
    const std::string freed =
        R"({"size_bytes":3000,"limit_bytes":2000,"pinned_bytes":0,"freed_bytes":1000,)"
        R"("dropped_count":1,"dropped":[{"artifact":"app","version":"1"}]})";
    answer(coordinator, "s1", said(true, freed));
    coordinator.on("POST " + site + "cache/gc", Json{{"orders", {order("s1", "alive")}}}, 202);
    const auto fine = person.run({"artifact", "gc", "--dry-run"});
    CHECK(fine.code == 0);
    CHECK(has(fine.out, "app@1"));
    CHECK(has(coordinator.received("POST " + site + "cache/gc").back(), "\"dry_run\":true"));
    const auto json = parse_json(person.run({"artifact", "gc", "-o", "json"}).out).value();
    CHECK(json.at("servers")[0].at("outcome") == "done");
    CHECK(json.at("servers")[0].at("freed_bytes") == 1000);

    answer(coordinator, "s2", said(false, "action \"artifact-gc\" is not offered by this agent"));
    coordinator.on("POST " + site + "cache/gc",
                   Json{{"orders", {order("s1", "alive"), order("s2", "alive")}}}, 202);
    const auto old = person.run({"artifact", "gc"});
    CHECK(old.code == 1);
    CHECK(has(old.err, "s2: action"));

    coordinator.on("POST " + site + "cache/gc",
                   Json{{"orders", {order("s1", "alive"), order("s3", "alive")}}}, 202);
    CHECK(person.run({"artifact", "gc", "--timeout", "1s"}).code == 7);
    coordinator.on("POST " + site + "cache/gc",
                   Json{{"orders", {order("s1", "alive"), order("s3", "dead")}}}, 202);
    const auto away = person.run({"artifact", "gc", "--timeout", "1s"});
    CHECK(away.code == 5);
    CHECK(has(away.err, "s3: out of reach (dead)"));
}

TEST_CASE("cache orders: a pin names the artifact and says where it is not", "[cli]") {
    FakeCoordinator coordinator;
    const Person person;
    person.login(coordinator);
    CHECK(person.run({"artifact", "pin", "app"}).code != 0);  // no version
    answer(coordinator, "s1", said(true, R"({"held":false,"pins":["operator"]})"));
    coordinator.on("POST " + site + "cache/pin", Json{{"orders", {order("s1", "alive")}}}, 202);
    const auto pinned = person.run({"artifact", "pin", "app@1.0", "--server", "s1"});
    CHECK(pinned.code == 0);
    CHECK(has(pinned.out, "operator"));
    CHECK(has(pinned.err, "clarity artifact prefetch app@1.0"));
    const auto body = parse_json(coordinator.received("POST " + site + "cache/pin").back()).value();
    CHECK(body.at("artifact") == "app");
    CHECK(body.at("version") == "1.0");
    CHECK(body.at("servers") == Json::array({"s1"}));
}

TEST_CASE("cache orders: damage is an error, a prefetch ends when all have it", "[cli]") {
    FakeCoordinator coordinator;
    const Person person;
    person.login(coordinator);
    answer(
        coordinator, "s1",
        said(true, R"({"verified":2,"verified_bytes":9,"errors":[],"damaged":[{"artifact":"app",)"
                   R"("version":"1","pieces":7,"bad_pieces":1,"dropped":false}]})"));
    coordinator.on("POST " + site + "cache/verify", Json{{"orders", {order("s1", "alive")}}}, 202);
    const auto damaged = person.run({"artifact", "verify"});
    CHECK(damaged.code == 1);
    CHECK(has(damaged.out, "app@1 (1 of 7 pieces)"));

    answer(coordinator, "s1", said(true, R"({"held":false})"));
    coordinator.on("POST " + site + "cache/prefetch", Json{{"orders", {order("s1", "alive")}}},
                   202);
    int looks = 0;
    coordinator.on("GET " + site + "artifacts", [&](const http::Request&) {
        const Json peer{{"server", "s1"}, {"complete", ++looks > 2}, {"error", ""}};
        return FakeCoordinator::Answer{
            200, Json{{"site", "acme/dc-1"}, {"artifacts", {{{"peers", {peer}}}}}}};
    });
    const auto there = person.run({"artifact", "prefetch", "app@1", "--count", "1"});
    CHECK(there.code == 0);
    CHECK(has(there.err, "1 of 1 server have app@1"));
    CHECK(looks == 3);
    looks = -1000;
    CHECK(person.run({"artifact", "prefetch", "app@1", "--timeout", "1s"}).code == 7);
    CHECK(person.run({"artifact", "prefetch", "app@1", "--count", "many"}).code != 0);
}
