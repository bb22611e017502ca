// Goal: the program's contract with people and scripts: exit codes, what goes to which stream, and
// what is refused. Method: the real binary, in a session without a terminal, against a coordinator
// whose answers the test writes.
#include <catch2/catch.hpp>
#include <algorithm>
#include <filesystem>

#include "protocol/envelope.hpp"
#include "protocol/manifest.hpp"
#include "protocol/root.hpp"
#include "tests/cli/person.hpp"

using namespace clarity;
using namespace clarity::test;

namespace {

Json server(const char* name, const char* state, bool settled, bool failed, unsigned seq = 7) {
    return Json{{"server", name},
                {"server_id", name},
                {"state", state},
                {"age_s", 0.4},
                {"witness", "edge-1"},
                {"plan_seq", seq},
                {"settled", settled},
                {"failed", failed},
                {"services", Json::array({Json{{"artifact", "web"},
                                               {"version", "2.0.0"},
                                               {"state", failed ? "failed" : "running"},
                                               {"health", "healthy"},
                                               {"detail", failed ? "port 80 is in use" : ""}}})},
                {"refusals", Json::array()},
                {"notices", Json::array()}};
}

Json site_status(std::vector<Json> servers) {
    return Json{
        {"site", "acme/dc-1"},
        {"answered_by", "coordinator"},
        {"plan", {{"seq", 7}, {"digest", ""}, {"environment", "prod"}, {"freshness_s", 0.1}}},
        {"servers", servers},
        {"artifacts", Json::array()},
        {"summary", {{"alive", 1}, {"healthy", 1}, {"failed", 0}, {"unreachable", 0}}}};
}

Json change(const char* action) {
    return Json{{"server", "edge-1"}, {"service", "web"}, {"action", action},
                {"from", "1.0.0"},    {"to", "2.0.0"},    {"reason", "new version"}};
}

/// A coordinator with one deployment that stands as told.
void deploy(FakeCoordinator& fake, const char* state, std::vector<Json> servers) {
    fake.on("POST /api/v1/deployments",
            Json{{"id", "d-7"},
                 {"seq", 7},
                 {"site", "acme/dc-1"},
                 {"changes", Json::array({change("update")})},
                 {"artifacts", Json::array()}},
            201);
    fake.on("PUT /api/v1/deployments/d-7/rollback",
            Json{{"id", "d-7"},
                 {"seq", 7},
                 {"site", "acme/dc-1"},
                 {"changes", Json::array()},
                 {"artifacts", Json::array()}},
            201);
    fake.on("GET /api/v1/deployments", Json::array({Json{{"id", "d-7"}, {"seq", 7}}}));
    fake.on("GET /api/v1/deployments/d-7", Json{{"id", "d-7"},
                                                {"seq", 7},
                                                {"site", "acme/dc-1"},
                                                {"state", state},
                                                {"servers", servers}});
    fake.on("GET /api/v1/sites/acme/dc-1/status", site_status(servers));
}

}  // namespace

TEST_CASE("usage: a mistake on the command line is 2, one line, and nothing on stdout", "[cli]") {
    const Person person;
    const std::vector<std::vector<std::string>> mistakes = {{"nonsense"},
                                                            {"status", "--nonsense"},
                                                            {"-o", "xml", "status"},
                                                            {"token"},
                                                            {"token", "create", "--ttl", "soon"},
                                                            {"artifact", "add"},
                                                            {"login"},
                                                            {"artifact", "nonsense"},
                                                            {"root", "init", "--threshold", "two"},
                                                            {"--timeout", "0", "status"}};
    for (const auto& arguments : mistakes) {
        const auto done = person.run(arguments);
        CAPTURE(arguments, done.err);
        CHECK(done.code == 2);
        CHECK(done.out.empty());
        CHECK(has(done.err, "clarity: "));
        CHECK(has(done.err, "--help"));
        CHECK(std::count(done.err.begin(), done.err.end(), '\n') == 1);
    }
}

TEST_CASE("usage: help and version go to stdout and are no error", "[cli]") {
    const Person person;
    const auto help = person.run({"--help"});
    CHECK(help.code == 0);
    CHECK(has(help.out, "publish"));
    CHECK(has(help.out, "Exit codes"));
    CHECK(help.err.empty());
    CHECK(has(person.run({"artifact", "add", "--help"}).out, "--repository"));
    CHECK(has(person.run({"--version"}).out, "clarity "));
    const auto version = person.run({"version", "-o", "json"});
    CHECK(version.code == 0);
    CHECK(parse_json(version.out).value().contains("version"));
    CHECK(person.run({}).code == 2);
}

TEST_CASE("login: without one, commands say how to", "[cli]") {
    const Person person;
    for (const auto* word : {"status", "agents", "publish"}) {
        const auto done = person.run({word});
        CAPTURE(word, done.err);
        CHECK(done.code == 1);
        CHECK(has(done.err, "clarity login"));
    }
}

TEST_CASE("login: pins the CA, stores the context and makes a key that may ask", "[cli]") {
    const Person person;
    const FakeCoordinator fake;
    person.login(fake);
    const auto posted = fake.received("POST /api/v1/observers");
    REQUIRE(posted.size() == 1);
    CHECK(PublicKey::from_hex(parse_json(posted[0]).value().at("public_key").get<std::string>()));
    CHECK(std::filesystem::exists(person.home.path() + "/config/keys/observer.key"));
    // Again: the same key, and no question about the CA that is known already.
    Run again;
    again.environment["CLARITY_TOKEN"] = FakeCoordinator::token;
    const auto done = person.run({"login", fake.url()}, again);
    CAPTURE(done.err);
    CHECK(done.code == 0);
    CHECK(fake.received("POST /api/v1/observers").at(1) == posted[0]);
}

TEST_CASE("login: a CA that nobody vouches for is not trusted, and no token is sent", "[cli]") {
    const Person person;
    const FakeCoordinator fake;
    const auto asked = person.run({"login", fake.url(), "--token", FakeCoordinator::token});
    CHECK(asked.code == 1);
    CHECK(has(asked.err, fake.fingerprint()));
    CHECK(has(asked.err, "--yes"));
    const auto wrong = person.run({"login", fake.url(), "--token", FakeCoordinator::token, "--yes",
                                   "--ca-fingerprint", std::string(64, '0')});
    CHECK(wrong.code == 6);
    CHECK(fake.received("POST /api/v1/observers").empty());
    CHECK_FALSE(std::filesystem::exists(person.home.path() + "/config/context.json"));
    CHECK(person.run({"login", fake.url(), "--token", FakeCoordinator::token, "--yes"}).code == 0);
}

TEST_CASE("login: a CA that changed is refused even with --yes", "[cli]") {
    const Person person;
    std::string url;
    {
        const FakeCoordinator fake;
        url = fake.url();
        person.login(fake);
    }
    const auto port = static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
    const FakeCoordinator impostor(port);
    const auto done = person.run({"login", url, "--token", FakeCoordinator::token, "--yes"});
    CHECK(done.code == 6);
    CHECK(has(done.err, "--ca-fingerprint"));
    // And nothing else talks to it: TLS is verified by the pinned CA alone.
    const auto agents = person.run({"agents"});
    CAPTURE(agents.err);
    CHECK(agents.code == 6);
    CHECK(impostor.received("GET /api/v1/agents").empty());
}

TEST_CASE("login: a wrong token is 6 and says what to do", "[cli]") {
    const Person person;
    const FakeCoordinator fake;
    const auto done = person.run(
        {"login", fake.url(), "--token", "nope", "--ca-fingerprint", fake.fingerprint()});
    CHECK(done.code == 6);
    CHECK(has(done.err, "token"));
    CHECK_FALSE(has(done.err, "nope"));
}

TEST_CASE("unreachable: a coordinator that is away is 5 and named", "[cli]") {
    const Person person;
    std::string url;
    {
        const FakeCoordinator fake;
        url = fake.url();
        person.login(fake);
    }
    const auto done = person.run({"agents"});
    CAPTURE(done.err);
    CHECK(done.code == 5);
    CHECK(done.out.empty());
    CHECK(has(done.err, url));
}

TEST_CASE("agents revoke: asks first, then takes the server out of its roster", "[cli]") {
    const Person person;
    FakeCoordinator fake;
    person.login(fake);
    fake.on("GET /api/v1/agents", Json::array());
    fake.on("DELETE /api/v1/agents/edge-3",
            Json{{"server_id", "id-3"}, {"site", "acme/dc-1"}, {"roster_epoch", 7}});
    const auto unasked = person.run({"agents", "revoke", "edge-3", "--no-input"});
    CAPTURE(unasked.err);
    CHECK(unasked.code == 1);
    CHECK(fake.received("DELETE /api/v1/agents/edge-3").empty());
    const auto done = person.run({"agents", "revoke", "edge-3", "--yes"});
    CAPTURE(done.err);
    CHECK(done.code == 0);
    CHECK(done.out == "edge-3 of acme/dc-1 is revoked: roster 7 does not have it\n");
    CHECK(fake.received("DELETE /api/v1/agents/edge-3").size() == 1);
    CHECK(person.run({"agents", "revoke", "edge-9", "--yes"}).code == 1);
    CHECK(person.run({"agents", "revoke"}).code == 2);
    CHECK(person.run({"agents"}).code == 0);  // the list, as before
    CHECK(person.run({"agents", "acme/dc-1"}).code == 0);
    CHECK(has(person.run({"agents", "--help"}).out, "revoke"));
}

TEST_CASE("plan: pending changes are 3, none are 0", "[cli]") {
    const Person person;
    FakeCoordinator fake;
    person.login(fake);
    deploy(fake, "done", {});
    const auto answer = [](const char* action) {
        return Json{{"site", "acme/dc-1"},
                    {"changes", Json::array({change(action)})},
                    {"wan_bytes_expected", 1 << 20},
                    {"artifacts", Json::array({Json{{"artifact", "web"},
                                                    {"version", "2.0.0"},
                                                    {"size_bytes", 1 << 20},
                                                    {"held", false}}})}};
    };
    fake.on("POST /api/v1/deployments", answer("update"));
    const auto pending = person.run({"plan"});
    CAPTURE(pending.err);
    CHECK(pending.code == 3);
    CHECK(has(pending.out, "SERVER  SERVICE  ACTION"));
    CHECK(has(pending.err, "1.0 MiB"));
    const auto sent = parse_json(fake.received("POST /api/v1/deployments").at(0)).value();
    CHECK(sent.at("dry_run") == true);
    CHECK(sent.at("environment") == "prod");  // what the site runs
    fake.on("POST /api/v1/deployments", answer("none"));
    const auto none = person.run({"plan", "-o", "json"});
    CHECK(none.code == 0);
    CHECK(parse_json(none.out));
}

TEST_CASE("publish: how it ended is the exit code, the deployment is the data", "[cli]") {
    const Person person;
    FakeCoordinator fake;
    person.login(fake);
    const auto publish = [&](const char* state, std::vector<Json> servers,
                             std::vector<std::string> more = {}) {
        deploy(fake, state, std::move(servers));
        std::vector<std::string> arguments = {"publish", "-o", "json", "--yes"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return person.run(arguments);
    };
    const auto done = publish("done", {server("edge-1", "alive", true, false)});
    CAPTURE(done.err);
    CHECK(done.code == 0);
    CHECK(parse_json(done.out).value().at("state") == "done");
    CHECK(has(done.err, "edge-1: done, 1/1 services up"));
    CHECK_FALSE(has(done.err, "\x1b"));
    const auto failed = publish("failed", {server("edge-1", "alive", true, true)});
    CHECK(failed.code == 4);
    CHECK(has(failed.err, "port 80 is in use"));
    CHECK(publish("rolled_back", {server("edge-1", "alive", true, true)}).code == 4);
    const auto late =
        publish("running", {server("edge-1", "alive", false, false)}, {"--timeout", "1s"});
    CHECK(late.code == 7);
    CHECK(has(late.err, "clarity deployments show d-7"));
    CHECK(publish("done",
                  {server("edge-1", "alive", true, false), server("edge-2", "dead", false, false)})
              .code == 5);
    const auto detached = publish("running", {}, {"--detach"});
    CHECK(detached.code == 0);
    CHECK(parse_json(detached.out).value().at("id") == "d-7");
    const auto ids = fake.received("POST /api/v1/deployments");
    CHECK_FALSE(parse_json(ids.front()).value().at("correlation_id").get<std::string>().empty());
    deploy(fake, "done", {server("edge-1", "alive", true, false)});
    CHECK(person.run({"rollback", "--yes"}).code == 0);
    CHECK(fake.received("PUT /api/v1/deployments/d-7/rollback").size() == 1);
}

TEST_CASE("publish: nobody to ask and no --yes means nothing is published", "[cli]") {
    const Person person;
    FakeCoordinator fake;
    person.login(fake);
    deploy(fake, "done", {server("edge-1", "alive", true, false)});
    const auto done = person.run({"publish"});
    CAPTURE(done.err);
    CHECK(done.code == 1);
    CHECK(has(done.err, "--yes"));
    CHECK(has(done.err, "update"));  // what would have changed was shown
    for (const auto& body : fake.received("POST /api/v1/deployments")) {
        CHECK(parse_json(body).value().at("dry_run") == true);
    }
}

TEST_CASE("publish: Ctrl-C ends the watch and says that the deployment goes on", "[cli]") {
    const Person person;
    FakeCoordinator fake;
    person.login(fake);
    deploy(fake, "running", {server("edge-1", "alive", false, false)});
    Run how;
    how.interrupt_at = "published plan 7";
    const auto done = person.run({"publish", "--yes"}, how);
    CAPTURE(done.err);
    CHECK(done.code == 130);
    CHECK(has(done.err, "goes on"));
}

TEST_CASE("publish: a terminal gets a block that is drawn again, NO_COLOR gets lines", "[cli]") {
    const Person person;
    FakeCoordinator fake;
    person.login(fake);
    int asked = 0;
    deploy(fake, "done", {server("edge-1", "alive", true, false)});
    fake.on("GET /api/v1/deployments/d-7", [&](const http::Request&) {
        return FakeCoordinator::Answer{
            200, Json{{"id", "d-7"},
                      {"seq", 7},
                      {"site", "acme/dc-1"},
                      {"state", ++asked % 3 == 0 ? "done" : "running"},
                      {"servers", Json::array({server("edge-1", "alive", true, false)})}}};
    });
    Run how;
    how.terminal = true;
    const auto drawn = person.run({"publish", "--yes"}, how);
    CAPTURE(drawn.err);
    CHECK(drawn.code == 0);
    CHECK(has(drawn.err, "\x1b[1A"));
    CHECK_FALSE(has(drawn.out, "\x1b"));
    how.environment["NO_COLOR"] = "1";
    const auto plain = person.run({"publish", "--yes"}, how);
    CHECK(plain.code == 0);
    CHECK_FALSE(has(plain.err, "\x1b"));
}

TEST_CASE("status: the coordinator's JSON comes out as it is, ages and witnesses in the table",
          "[cli]") {
    const Person person;
    FakeCoordinator fake;
    person.login(fake);
    auto servers = std::vector<Json>{server("edge-1", "alive", true, false),
                                     server("edge-2", "suspect", false, false)};
    servers[1]["refusals"].push_back(
        Json{{"document", "plan"}, {"seq", 3}, {"at", "now"}, {"message", "old \x1b[31mseq"}});
    servers[0]["notices"].push_back("no Docker engine on this host");
    deploy(fake, "done", servers);
    const auto json = person.run({"status", "acme/dc-1", "-o", "json"});
    CAPTURE(json.err);
    CHECK(json.code == 0);
    CHECK(parse_json(json.out).value() == site_status(servers));
    const auto table = person.run({"status"});
    CHECK(has(table.out, "edge-2  suspect  0.4 s  edge-1"));
    CHECK(has(table.out, "edge-2 refused plan 3 at now: old  [31mseq"));
    CHECK(has(table.out, "edge-1: no Docker engine on this host"));
    const auto yaml = person.run({"status", "-o", "yaml"});
    CHECK(yaml.out.starts_with("site: acme/dc-1\n"));
}

TEST_CASE("secret: the value comes from a file or standard input and is never printed", "[cli]") {
    const Person person;
    FakeCoordinator fake;
    person.login(fake);
    fake.on("PUT /api/v1/secrets/acme/db.password", Json::object());
    Run how;
    how.input = "hunter2\n";
    const auto done = person.run({"secret", "set", "db.password", "--stdin"}, how);
    CAPTURE(done.err);
    CHECK(done.code == 0);
    const auto sent = fake.received("PUT /api/v1/secrets/acme/db.password");
    REQUIRE(sent.size() == 1);
    CHECK(parse_json(sent[0]).value().at("value") == "hunter2");
    CHECK_FALSE(has(done.out + done.err, "hunter2"));
    const auto none = person.run({"secret", "set", "db.password"});
    CHECK(none.code == 1);
    CHECK(has(none.err, "--file"));
}

TEST_CASE("root: init makes the keys, the first root and uploads it", "[cli]") {
    const Person person;
    FakeCoordinator fake;
    person.login(fake);
    fake.on("PUT /api/v1/root", Json{{"digest", ""}, {"version", 1}});
    const auto done = person.run({"root", "init", "-o", "json"});
    CAPTURE(done.err);
    REQUIRE(done.code == 0);
    const auto sent = parse_json(fake.received("PUT /api/v1/root").at(0)).value();
    const auto bytes = from_base64(sent.at("envelope").get<std::string>()).value();
    const auto root = verify_first_root(Envelope::decode(bytes).value());
    REQUIRE(root);
    CHECK(root->find(role::coordinator)->keys.at(0) == fake.key().public_key());
    CHECK(root->find(role::root)->threshold == 1);
    const auto keys = person.home.path() + "/config/keys/";
    for (const auto* name : {"root.key", "publisher.key"}) {
        CHECK((std::filesystem::status(keys + name).permissions() & std::filesystem::perms(0777)) ==
              std::filesystem::perms(0600));
    }
}

TEST_CASE("root: with too few keys at hand, the file goes round until it has enough", "[cli]") {
    const Person first;
    const Person second;
    FakeCoordinator fake;
    first.login(fake);
    second.login(fake);
    fake.on("PUT /api/v1/root", Json{{"digest", ""}, {"version", 1}});
    const auto other = SigningKey::generate();
    const auto other_key = second.home.write("holder.key", encode_key_file(other, "open sesame"));
    const auto mine = SigningKey::generate();
    const auto my_key = first.home.write("holder.key", encode_key_file(mine, ""));
    const auto file = first.home.path() + "/root.json";
    const auto begun = first.run({"root", "init", "--key", my_key, "--key",
                                  other.public_key().hex(), "--threshold", "2", "--out", file});
    CAPTURE(begun.err);
    CHECK(begun.code == 0);
    CHECK(has(begun.err, "1 of 2 signatures"));
    CHECK(fake.received("PUT /api/v1/root").empty());

    const auto locked = second.run({"root", "sign", file, "--key", other_key, "--yes"});
    CHECK(locked.code == 1);
    CHECK(has(locked.err, "CLARITY_PASSPHRASE"));
    Run how;
    how.environment["CLARITY_PASSPHRASE"] = "open sesame";
    const auto signed_too = second.run({"root", "sign", file, "--key", other_key, "--yes"}, how);
    CAPTURE(signed_too.err);
    CHECK(signed_too.code == 0);
    REQUIRE(fake.received("PUT /api/v1/root").size() == 1);
    CHECK(has(signed_too.err, "2 of 2 signatures"));
}

TEST_CASE("artifact add: hashes the file, signs with the publisher's key and registers", "[cli]") {
    const Person person;
    FakeCoordinator fake;
    person.login(fake);
    fake.on("PUT /api/v1/root", Json{{"digest", ""}, {"version", 1}});
    fake.on("POST /api/v1/manifests", Json{{"digest", "d"}}, 201);
    const auto file = person.home.write("app.bin", std::string(300'000, 'x'));
    const std::vector<std::string> add = {"artifact", "add",        "app@1.2.3",    file,
                                          "--type",   "binary",     "--repository", "main",
                                          "--path",   "app/app.bin"};
    const auto keyless = person.run(add);
    CHECK(keyless.code == 1);
    CHECK(has(keyless.err, "clarity root init"));
    REQUIRE(person.run({"root", "init"}).code == 0);
    fake.on("GET /api/v1/root", parse_json(fake.received("PUT /api/v1/root").at(0)).value());
    const auto done = person.run(add);
    CAPTURE(done.err);
    REQUIRE(done.code == 0);
    const auto sent = parse_json(fake.received("POST /api/v1/manifests").at(0)).value();
    const auto envelope =
        Envelope::decode(from_base64(sent.at("envelope").get<std::string>()).value()).value();
    const auto root_sent = parse_json(fake.received("PUT /api/v1/root").at(0)).value();
    const auto root_bytes = from_base64(root_sent.at("envelope").get<std::string>()).value();
    const auto root = verify_first_root(Envelope::decode(root_bytes).value());
    const auto manifest = verify_manifest(root.value(), envelope);
    REQUIRE(manifest);
    CHECK(manifest->size_bytes == 300'000);
    CHECK(manifest->sources.at(0).path == "app/app.bin");
    CHECK(done.out == manifest->sha256.hex() + "\n");

    auto missing = add;
    missing[3] = file + ".not";
    const auto none = person.run(missing);
    CHECK(none.code == 1);
    CHECK(has(none.err, file + ".not"));
    auto odd = add;
    odd[5] = "rpm";
    CHECK(has(person.run(odd).err, "--type rpm"));
}
