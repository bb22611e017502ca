#include <catch2/catch.hpp>

#include "node/deploy/steps.hpp"
#include "site.hpp"

using namespace clarity;

namespace {

void run(TestServer& server, std::uint64_t seq, const std::string& version) {
    server.apply(server.plan(seq, {server.service("web", version)}));
    REQUIRE(server.settle());
}

}  // namespace

TEST_CASE("deploy: a plan brings a service to running and the same plan touches nothing") {
    TestServer server;
    server.boot();
    run(server, 1, "1.0");
    CHECK(server.status("web").state == ServiceState::running);
    CHECK(server.status("web").version == "1.0");
    CHECK(server.status("web").plan_seq == 1);
    CHECK_FALSE(server.engine->failed());
    CHECK(server.pins.size() == 1);
    const auto calls = server.host->calls;
    run(server, 1, "1.0");
    run(server, 2, "1.0");
    CHECK(server.status("web").plan_seq == 2);
    CHECK(server.host->calls == calls);
    CHECK(server.host->violations.empty());
}

TEST_CASE("deploy: a changed version or configuration replaces what ran, a removed one goes") {
    TestServer server;
    server.boot();
    run(server, 1, "1.0");
    run(server, 2, "2.0");
    CHECK(server.host->there.at("web").version == "2.0");
    CHECK(server.status("web").version == "2.0");
    auto changed = server.service("web", "2.0");
    changed.config_fingerprint.data[0] = 7;
    server.apply(server.plan(3, {changed}));
    REQUIRE(server.settle());
    CHECK(server.host->there.at("web").starts == 3);
    server.apply(server.plan(4, {}));
    REQUIRE(server.until([&] { return server.engine->services().empty(); }));
    CHECK(server.host->there.empty());
    CHECK(server.host->prepared.empty());
    CHECK(server.pins.empty());
    CHECK(server.store.data.empty());
    CHECK(server.host->violations.empty());
}

// Goal: whatever step fails, the last good version runs and the failure is told.
TEST_CASE("deploy: a step that fails returns to the last good version") {
    const auto call = GENERATE(as<std::string>{}, "validate", "prepare", "configure", "set_up",
                               "start", "stop", "watch");
    CAPTURE(call);
    TestServer server;
    server.boot();
    run(server, 1, "1.0");
    if (call == "watch") server.host->crashing.insert("2.0");
    else if (call == "stop") server.host->errors["stop"] = 1;
    else server.host->errors[call + " 2.0"] = -1;
    run(server, 2, "2.0");
    const auto status = server.status("web");
    CHECK(status.state == ServiceState::failed);
    CHECK(status.plan_seq == 2);
    CHECK_FALSE(status.detail.empty());
    CHECK(server.engine->failed());
    CHECK(server.host->there.at("web").version == "1.0");
    CHECK(server.host->there.at("web").running);
    CHECK(server.host->violations.empty());
    const auto calls = server.host->calls["start"];
    CHECK_FALSE(server.until([&] { return server.host->calls["start"] != calls; }, 200));
    // The operator rolls back: what runs is what is wanted, nothing is touched.
    run(server, 3, "1.0");
    CHECK_FALSE(server.engine->failed());
    CHECK(server.status("web").plan_seq == 3);
    CHECK(server.host->calls["start"] == calls);
}

TEST_CASE("deploy: a failure with nothing to return to is told and not tried hot") {
    const auto call =
        GENERATE(as<std::string>{}, "validate", "prepare", "configure", "set_up", "start");
    CAPTURE(call);
    TestServer server;
    server.boot();
    server.host->errors[call + " 1.0"] = -1;
    run(server, 1, "1.0");
    CHECK(server.status("web").state == ServiceState::failed);
    const auto calls = server.host->calls[call];
    CHECK_FALSE(server.until([&] { return server.host->calls[call] != calls; }, 200));
    server.host->errors.clear();
    run(server, 2, "1.0");  // a new plan tries again
    CHECK(server.status("web").state == ServiceState::running);
}

// Goal: a kill after any number of journal writes leads to the same end.
// Method: the store stops keeping writes after N, the engine is destroyed, a new one takes over.
TEST_CASE("deploy: a kill at any point resumes") {
    const auto writes = GENERATE(range(0, 12));
    const bool crash = GENERATE(false, true);
    CAPTURE(writes, crash);
    TestServer server;
    server.boot();
    run(server, 1, "1.0");
    if (crash) server.host->crashing.insert("2.0");
    server.store.writes_left = writes;
    server.apply(server.plan(2, {server.service("web", "2.0")}));
    server.until([&] { return server.store.writes_left == 0; }, 300);
    server.kill();
    server.store.writes_left = -1;
    server.boot();
    run(server, 2, "2.0");
    CHECK(server.host->violations.empty());
    CHECK(server.host->there.at("web").running);
    CHECK(server.host->there.at("web").version == (crash ? "1.0" : "2.0"));
    const auto wanted = crash ? ServiceState::failed : ServiceState::running;
    CHECK(server.until([&] { return server.status("web").state == wanted; }));
}

TEST_CASE("deploy: what ends is started again with a backoff, unless the policy says never") {
    const auto policy = GENERATE(RestartPolicy::always, RestartPolicy::never);
    TestServer server;
    server.boot();
    auto service = server.service("web", "1.0");
    service.restart = policy;
    server.apply(server.plan(1, {service}));
    REQUIRE(server.settle());
    server.host->there["web"].running = false;
    server.host->there["web"].exit_code = 9;
    const auto restarted = server.until([&] { return server.host->there["web"].starts > 1; },
                                        policy == RestartPolicy::always ? 5000 : 200);
    CHECK(restarted == (policy == RestartPolicy::always));
    CHECK(server.host->violations.empty());
}

TEST_CASE("deploy: a container that vanished is reported and made again") {
    TestServer server;
    server.boot();
    run(server, 1, "1.0");
    server.host->there.clear();
    CHECK(server.until([&] { return server.host->there["web"].running; }));
}

TEST_CASE("deploy: a service waits for the one it comes after") {
    TestServer server;
    server.boot();
    server.artifacts_come = false;
    auto web = server.service("web", "1.0");
    web.after = {"base"};
    server.apply(server.plan(1, {web, server.service("base", "1.1")}));
    REQUIRE(server.until([&] { return server.asked.size() == 1; }));
    CHECK(server.status("web").state == ServiceState::waiting);
    CHECK(server.status("web").detail == "waits for base");
    server.artifacts_come = true;
    server.engine->artifact_ready(server.service("base", "1.1").manifest, "/b");
    REQUIRE(server.settle());
    CHECK(server.status("web").state == ServiceState::running);
}

TEST_CASE("deploy: an artifact that cannot be had fails the service until it comes") {
    TestServer server;
    server.boot();
    server.artifacts_come = false;
    server.apply(server.plan(1, {server.service("web", "1.0")}));
    REQUIRE(server.until([&] { return !server.asked.empty(); }));
    const auto sha = server.service("web", "1.0").manifest;
    server.engine->artifact_failed(sha, Error{Errc::invalid, "piece 3 of web is not as signed"});
    REQUIRE(server.settle());
    CHECK(server.status("web").state == ServiceState::failed);
    CHECK(server.status("web").detail.find("piece 3") != std::string::npos);
    server.engine->artifact_ready(sha, "/x");
    REQUIRE(server.until([&] { return server.status("web").state == ServiceState::running; }));
}

TEST_CASE("deploy: commands stop, start and restart a service, and stopped survives a restart") {
    TestServer server;
    server.boot();
    run(server, 1, "1.0");
    bool done = false;
    server.engine->act("stop", "web", "",
                       [&](const Result<std::string>& r) { done = r.has_value(); });
    REQUIRE(server.until([&] { return done; }));
    CHECK_FALSE(server.host->there["web"].running);
    server.kill();
    server.boot();
    server.apply(server.plan(1, {server.service("web", "1.0")}));
    CHECK_FALSE(server.until([&] { return server.host->there["web"].running; }, 150));
    server.engine->act("start", "web", "", [](const Result<std::string>&) {});
    CHECK(server.until([&] { return server.host->there["web"].running; }));
}

TEST_CASE("deploy: configuration sealed to another server fails with one line") {
    TestServer server;
    server.boot();
    auto service = server.service("web", "1.0");
    service.sealed_config = *seal_to(SigningKey::generate().public_key(), "x");
    server.apply(server.plan(1, {service}));
    REQUIRE(server.settle());
    CHECK(server.status("web").state == ServiceState::failed);
    CHECK(server.status("web").detail.find("not sealed to this server") != std::string::npos);
}

TEST_CASE("steps: every transition is unique and every step can be left") {
    std::set<std::pair<Step, Event>> seen;
    std::set<Step> left;
    for (const auto& each : transitions()) {
        CHECK(seen.emplace(each.from, each.event).second);
        left.insert(each.from);
        CHECK(step_from(name_of(each.from)) == each.from);
        CHECK(step_from(name_of(each.to)) == each.to);
    }
    CHECK(left.size() == 22);
}
