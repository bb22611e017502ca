// Goal: a plan reaches a site that the coordinator does not, on a USB stick, and nothing that is
// not signed gets in that way. Method: the real three programs on loopback; the coordinator is
// stopped while the agent runs.
#include <filesystem>
#include <fstream>

#include "protocol/envelope.hpp"
#include "storage/files.hpp"
#include "tests/cli/real.hpp"

using namespace clarity;
using namespace clarity::test;

namespace {

/// A coordinator with everything that a plan needs, and an agent that has enrolled and is down.
struct Installation {
    RealCoordinator coordinator;
    Person person;
    std::unique_ptr<RealAgent> agent;

    Installation() {
        expect(person, 0,
               {"login", coordinator.url(), "--token-file", coordinator.token_file(), "--yes"});
        expect(person, 0, {"root", "init"});
        write_inventory(person.home.path() + "/inventory");
        expect(person, 0, {"apply", person.home.path() + "/inventory"});
        const auto file = person.home.write("app", "#!/bin/sh\nexec sleep 1000\n");
        expect(person, 0, {"artifact", "add", "app@1.0.0", file});
        const auto token = expect(person, 0, {"token", "create", "acme/dc-1", "-o", "json"});
        agent = std::make_unique<RealAgent>(
            coordinator.url(), "edge-1",
            parse_json(token.out).value().at("token").get<std::string>());
        Run enrol;
        enrol.arguments = {"enrol", "--config", agent->config()};
        const auto done = run_process(CLARITY_AGENT, enrol);
        CAPTURE(done.err);
        REQUIRE(done.code == 0);
    }
    std::string publish() const {
        const auto done =
            expect(person, 0, {"publish", "acme/dc-1", "-e", "prod", "--yes", "--detach"});
        return done.out.substr(0, done.out.find('\n'));
    }
    std::uint64_t plan_seq() const {
        const auto done = person.run({"status", "--socket", agent->socket(), "-o", "json"});
        const auto json = parse_json(done.out);
        return json ? (*json)["plan"]["seq"].get<std::uint64_t>() : 0;
    }
};

}  // namespace

TEST_CASE("deliver: a plan reaches an agent by hand, and only a signed one", "[cli]") {
    Installation at;
    const auto id = at.publish();
    const auto stick = at.person.home.path() + "/stick";
    const auto exported = expect(at.person, 0, {"deployments", "export", id, stick});
    CHECK(has(exported.out, "plan-1.envelope"));
    CHECK(has(exported.out, "manifest-app@1.0.0.envelope"));
    CHECK(has(exported.out, "root-1.envelope"));
    expect(at.person, 1, {"deployments", "export", "none-such", stick + "-not"});
    CHECK_FALSE(std::filesystem::exists(stick + "-not"));

    at.coordinator.stop();
    const auto nobody =
        expect(at.person, 5, {"deliver", "--socket", at.agent->socket(), stick, "--timeout", "2s"});
    CHECK(has(nobody.err, at.agent->socket()));
    at.agent->start();
    REQUIRE(at.agent->says("plan 0"));
    const auto done = expect(at.person, 0, {"deliver", "--socket", at.agent->socket(), stick});
    CHECK(has(done.out, "accepted"));
    CHECK(at.plan_seq() == 1);
    CHECK(at.agent->says("plan 1 for prod accepted"));

    const auto again = expect(
        at.person, 0,
        {"deliver", "--socket", at.agent->socket(), "-o", "json", stick + "/plan-1.envelope"});
    CHECK(parse_json(again.out).value().at(0).at("outcome") == "held already");

    auto forged = Envelope::decode(read_file(stick + "/plan-1.envelope", 1U << 20).value()).value();
    forged.payload.back() = static_cast<char>(forged.payload.back() ^ 1);
    const auto bad = at.person.home.write("bad.envelope", forged.encode());
    const auto refused = expect(at.person, 6, {"deliver", "--socket", at.agent->socket(), bad});
    CHECK(has(refused.err, bad + ": refused: "));
    const auto garbage = at.person.home.write("garbage", "not a document");
    CHECK(has(expect(at.person, 1, {"deliver", "--socket", at.agent->socket(), stick, garbage}).err,
              garbage));
    expect(at.person, 1, {"deliver", "--socket", at.agent->socket(), stick + "/none"});
}

TEST_CASE("root: keys and thresholds change, and whoever holds an old root follows", "[cli]") {
    const RealCoordinator coordinator;
    const Person person;
    const Person late;  // logs in now, looks again after two changes
    expect(person, 0, {"login", coordinator.url(), "--token-file", coordinator.token_file(), "-y"});
    expect(person, 0, {"root", "init"});
    expect(late, 0, {"login", coordinator.url(), "--token-file", coordinator.token_file(), "-y"});
    CHECK(has(expect(late, 0, {"root", "show"}).out, "root version 1"));

    const auto second = person.home.path() + "/second.key";
    const auto added = expect(
        person, 0, {"root", "next", "--new", "root=" + second, "--threshold", "root=2", "--yes"});
    CHECK(has(added.err, "root version 2 is in force"));
    // Two signatures are needed now; one key at hand is not enough.
    const auto file = person.home.path() + "/root-v3.json";
    const auto half = expect(person, 0, {"root", "next", "--threshold", "root=1", "--out", file});
    CHECK(has(half.err, "1 of 2 signatures by version 2's keys"));
    CHECK(has(expect(person, 0, {"root", "show"}).out, "root version 2"));
    const auto whole = expect(person, 0, {"root", "sign", file, "--key", second, "--yes"});
    CHECK(has(whole.err, "root version 3 is in force"));
    CHECK(has(expect(late, 0, {"root", "show"}).out, "root version 3"));

    // A stranger's signature counts for nothing, and impossible roots are not made.
    CHECK(has(expect(person, 1, {"root", "next", "--threshold", "artifact=2"}).err, "artifact"));
    CHECK(has(expect(person, 1, {"root", "next", "--remove", "root=00000000"}).err, "root show"));
    CHECK(has(expect(person, 1, {"root", "next", "--add", "king=" + second}).err, "approver"));
    const auto stranger = person.home.write("s.key", encode_key_file(SigningKey::generate(), ""));
    const auto foreign = expect(
        person, 0,
        {"root", "next", "--key", stranger, "--out", person.home.path() + "/f.json", "--yes"});
    CHECK(has(foreign.err, "0 of 1 signatures"));
    CHECK(has(expect(late, 0, {"root", "show"}).out, "root version 3"));
}

TEST_CASE("coordinator: its CA's fingerprint is where the first login looks for it", "[cli]") {
    const RealCoordinator coordinator;
    Run ask;
    ask.arguments = {"--fingerprint", "--config", coordinator.config()};
    const auto printed = run_process(CLARITY_COORDINATOR, ask);
    CHECK(printed.code == 0);
    REQUIRE(printed.out.size() == 65);
    const auto fingerprint = printed.out.substr(0, 64);
    CHECK(has(coordinator.log(), "CA fingerprint for clarity login: " + fingerprint));
    const Person person;
    expect(person, 0,
           {"login", coordinator.url(), "--token-file", coordinator.token_file(),
            "--ca-fingerprint", fingerprint});
    const Person other;
    const auto wrong = expect(other, 6,
                              {"login", coordinator.url(), "--token-file", coordinator.token_file(),
                               "--ca-fingerprint", std::string(64, '0')});
    CHECK(has(wrong.err, fingerprint));
    TempFolder empty;
    ask.arguments[2] = empty.write("c.yml", "state_dir: " + empty.path() + "/state\n");
    const auto none = run_process(CLARITY_COORDINATOR, ask);
    CHECK(none.code == 1);
    CHECK(has(none.err, "first time"));
    CHECK_FALSE(std::filesystem::exists(empty.path() + "/state"));
}
