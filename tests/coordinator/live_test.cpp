#include "tests/coordinator/live.hpp"

#include <filesystem>

#include "protocol/join_token.hpp"
#include "protocol/orders.hpp"
#include "protocol/plan.hpp"

using namespace clarity;
using namespace clarity::test;

namespace {
const Json deploy_prod{{"client", "acme"}, {"datacenter", "dc-1"}, {"environment", "prod"}};
}

TEST_CASE("coordinator: health and info are open, everything else needs the token") {
    init_crypto();
    const TempDir dir;
    const LiveCoordinator live(dir.path);
    CHECK(live.call("GET", "/healthz", {}, "").body["status"] == "ok");
    const auto info = live.call("GET", "/api/v1/info", {}, "");
    CHECK(info.status == 200);
    CHECK(info.body["root_version"] == 0);
    for (const auto* path : {"/api/v1/sites", "/api/v1/inventory", "/api/v1/secrets?client=a",
                             "/api/v1/deployments", "/api/v1/agents", "/api/v1/tokens"}) {
        CHECK(live.call("GET", path, {}, "").status == 401);
    }
    CHECK(live.call("GET", "/api/v1/sites", {}, "wrong").error_code() == "denied");
    CHECK(live.call("GET", "/api/v1/sites").status == 200);
    CHECK(live.call("GET", "/api/v1/nothing").status == 404);
    CHECK(live.call("GET", "/api/v1/root?version=1").status == 409);
    CHECK(live.call("DELETE", "/api/v1/sites").status == 405);
    CHECK(live.call("PUT", "/api/v1/root", Json{{"envelope", "!"}}).status == 400);
    CHECK(live.call("POST", "/api/v1/deployments", deploy_prod).error_code() == "conflict");
    CHECK(live.call("GET", "/metrics", {}, "").text.find("orchestrix_http_requests_total") !=
          std::string::npos);
    const auto mode = std::filesystem::status(dir.path + "/admin.token").permissions();
    CHECK((mode & std::filesystem::perms::all) == std::filesystem::perms(0600));
}

TEST_CASE("coordinator: a stranger's large body is not kept, the admin's is read") {
    init_crypto();
    const TempDir dir;
    const LiveCoordinator live(dir.path);
    const Json large{{"files", {{"a.yml", std::string(1U << 20, 'x')}}}};
    CHECK(live.call("PUT", "/api/v1/inventory", large, "").status == 401);
    CHECK(live.call("PUT", "/api/v1/inventory", large, "wrong").status == 401);
    CHECK(live.call("POST", "/api/v1/enrol", large, "wrong").status == 413);
    CHECK(live.call("PUT", "/api/v1/inventory", large).status == 422);  // read, and no inventory
    const Json huge{{"files", {{"a.yml", std::string(25U << 20, 'x')}}}};
    const auto refused = live.call("PUT", "/api/v1/inventory", huge);
    CHECK(refused.status == 413);
    CHECK(refused.message().find("too large") != std::string::npos);
    CHECK(live.call("GET", "/api/v1/sites").status == 200);
}

TEST_CASE("coordinator: too many wrong tokens are told to wait, the right one is not") {
    init_crypto();
    const TempDir dir;
    const LiveCoordinator live(dir.path);
    int last = 0;
    for (int i = 0; i < 12; ++i) last = live.call("GET", "/api/v1/sites", {}, "guess").status;
    CHECK(last == 429);
    CHECK(live.call("GET", "/api/v1/sites").status == 200);
}

TEST_CASE("coordinator: an inventory with mistakes is refused with all of them named") {
    init_crypto();
    const TempDir dir;
    const LiveCoordinator live(dir.path);
    auto files = inventory_files("1.0.0");
    const auto good = live.call("PUT", "/api/v1/inventory", Json{{"files", files}});
    REQUIRE(good.status == 200);
    CHECK(good.body["clients"] == 1);
    CHECK(good.body["servers"] == 2);
    CHECK(live.call("PUT", "/api/v1/inventory", Json{{"files", files}}).body["unchanged"] == true);
    files["clients/acme/servers.yml"] = "servers:\n  - id: x\n    datacenter_id: nowhere\n";
    files["profiles/prod/web.yml"] = "nonsense: [";
    const auto bad = live.call("PUT", "/api/v1/inventory", Json{{"files", files}});
    CHECK(bad.status == 422);
    CHECK(bad.body["problems"].size() >= 2);
    CHECK(live.call("GET", "/api/v1/inventory").body["digest"] == good.body["digest"]);
    files["../../etc/passwd"] = "x";
    CHECK(live.call("PUT", "/api/v1/inventory", Json{{"files", files}}).status == 400);

    const auto profile = live.call("GET", "/api/v1/profiles/prod/web");
    REQUIRE(profile.status == 200);
    auto yaml = profile.body["yaml"].get<std::string>();
    yaml.replace(yaml.find("1.0.0"), 5, "1.1.0");
    CHECK(live.call("PUT", "/api/v1/profiles/prod/web", Json{{"yaml", yaml}}).status == 200);
    CHECK(live.call("GET", "/api/v1/profiles/prod/web").body["yaml"] == yaml);
    CHECK(live.call("GET", "/api/v1/profiles/prod/none").status == 404);
    CHECK(live.call("GET", "/api/v1/inventory/history").body.size() == 2);
}

TEST_CASE("coordinator: a server enrols once with its token, and only as itself") {
    init_crypto();
    const TempDir dir;
    const LiveCoordinator live(dir.path);
    const Operator op;
    CHECK(live.call("POST", "/api/v1/tokens", Json{{"site", "acme/dc-1"}}).error_code() ==
          "conflict");  // no root yet
    prepare(live, op);
    CHECK(live.call("POST", "/api/v1/tokens", Json{{"site", "acme/dc-9"}}).status == 404);

    const auto token = join_token(live);
    const auto parsed = JoinToken::decode(token).value();
    CHECK(parsed.ca_fingerprint == x509::fingerprint_sha256(live.ca_pem).value());

    LiveNode node("edge-1");
    CHECK(LiveNode("edge-9").enrol(live, token).status == 404);
    auto forged = node.enrol_body();
    forged["public_key"] = SigningKey::generate().public_key().hex();
    CHECK(live.call("POST", "/api/v1/enrol", forged, token).error_code() == "bad_signature");
    auto nowhere = node.enrol_body();
    nowhere["mesh_endpoint"] = "tcp://0.0.0.0:1";
    CHECK(live.call("POST", "/api/v1/enrol", nowhere, token).status == 400);
    CHECK(live.call("POST", "/api/v1/enrol", node.enrol_body(), "rubbish").error_code() ==
          "denied");

    const auto enrolled = node.enrol(live, token);
    REQUIRE(enrolled.status == 200);
    CHECK(x509::public_key_of_certificate(enrolled.body["certificate_pem"].get<std::string>())
              .value() == node.key.public_key());
    const auto root = verify_first_root(
        Envelope::decode(from_base64(enrolled.body["root"][0].get<std::string>()).value()).value());
    REQUIRE(root);
    const auto roster_bytes = from_base64(enrolled.body["roster"].get<std::string>()).value();
    const auto roster = verify_roster(*root, "acme/dc-1", Envelope::decode(roster_bytes).value());
    REQUIRE(roster);
    CHECK(roster->find(node.server_id)->key == node.key.public_key());
    CHECK(roster->coordinators.size() == 1);

    CHECK(node.enrol(live, token).status == 200);  // the same server again: a lost answer
    LiveNode thief("edge-2");
    const auto used = thief.enrol(live, token);
    CHECK(used.error_code() == "denied");
    CHECK(used.message().find("was used") != std::string::npos);
    CHECK(LiveNode("edge-1").enrol(live, join_token(live, "edge-2")).error_code() == "denied");

    LiveNode copied("edge-2");
    copied.key = node.key;
    CHECK(copied.enrol(live, join_token(live)).status == 409);
    LiveNode again("edge-1");
    REQUIRE(again.enrol(live, join_token(live, "edge-1")).status == 200);
    const auto agents = live.call("GET", "/api/v1/agents").body;
    CHECK(agents.size() == 1);
    CHECK(live.call("DELETE", "/api/v1/agents/" + again.server_id).status == 200);
    CHECK(live.call("GET", "/api/v1/agents").body.empty());
}

TEST_CASE("coordinator: a revoked or replaced server cannot let itself in again") {
    init_crypto();
    const TempDir dir;
    const LiveCoordinator live(dir.path);
    const Operator op;
    prepare(live, op);
    const auto token = join_token(live);
    LiveNode old("edge-1");
    REQUIRE(old.enrol(live, token).status == 200);

    LiveNode other("edge-1");
    const auto stray = other.enrol(live, join_token(live));  // of the site, for no server
    CHECK(stray.error_code() == "denied");
    CHECK(stray.message().find("--server edge-1") != std::string::npos);
    REQUIRE(other.enrol(live, join_token(live, "edge-1")).status == 200);
    CHECK(old.enrol(live, token).error_code() == "denied");  // its place is taken

    REQUIRE(live.call("DELETE", "/api/v1/agents/edge-1").status == 200);
    CHECK(old.enrol(live, token).error_code() == "denied");  // its place is free
}

TEST_CASE("coordinator: after an older backup the next plan goes above what the site has seen") {
    init_crypto();
    const TempDir dir;
    const LiveCoordinator live(dir.path);
    const Operator op;
    prepare(live, op);
    LiveNode node("edge-1");
    REQUIRE(node.enrol(live, join_token(live)).status == 200);
    CHECK(live.call("POST", "/api/v1/deployments", deploy_prod).body["seq"] == 1);
    node.connect(live);
    REQUIRE(eventually([&] { return node.offered("roster").has_value(); }));
    node.send(node.report_of(1, node.record(1, 41, true)));
    REQUIRE(
        eventually([&] { return live.call("GET", "/api/v1/agents").body[0]["plan_seq"] == 41; }));
    const auto next = live.call("POST", "/api/v1/deployments", deploy_prod);
    CHECK(next.status == 201);  // nothing changed by our books; the site runs what we do not know
    CHECK(next.body["seq"] == 42);
}

TEST_CASE("coordinator: a plan that only starts a service more patiently is published too") {
    init_crypto();
    const TempDir dir;
    const Operator op;
    const LiveCoordinator live(dir.path);
    prepare(live, op);
    LiveNode node("edge-1");
    REQUIRE(node.enrol(live, join_token(live)).status == 200);
    REQUIRE(live.call("POST", "/api/v1/deployments", deploy_prod).status == 201);
    auto files = inventory_files("1.0.0");
    files["profiles/prod/web.yml"] = files["profiles/prod/web.yml"].get<std::string>() +
                                     "        startup: {stable_s: 1, timeout_s: 77}\n";
    REQUIRE(live.call("PUT", "/api/v1/inventory", Json{{"files", files}}).status == 200);
    const auto next = live.call("POST", "/api/v1/deployments", deploy_prod);
    CHECK(next.status == 201);
    CHECK(next.body["seq"] == 2);
    CHECK(next.body["changes"].empty());  // nothing restarts
}

TEST_CASE("coordinator: a plan is published, offered at once, followed, and rolled back") {
    init_crypto();
    const TempDir dir;
    const Operator op;
    std::string first_id;
    LiveNode node("edge-1");
    {
        const LiveCoordinator live(dir.path);
        prepare(live, op);
        CHECK(live.call("POST", "/api/v1/deployments", deploy_prod).error_code() == "conflict");
        REQUIRE(node.enrol(live, join_token(live)).status == 200);
        node.connect(live);
        REQUIRE(eventually([&] { return node.offered("roster").has_value(); }));
        CHECK_FALSE(node.offered("plan"));

        auto dry = deploy_prod;
        dry["dry_run"] = true;
        const auto planned = live.call("POST", "/api/v1/deployments", dry);
        REQUIRE(planned.status == 200);
        CHECK_FALSE(planned.body.contains("seq"));
        REQUIRE(planned.body["changes"].size() == 1);
        CHECK(planned.body["changes"][0]["action"] == "add");
        CHECK(planned.body["wan_bytes_expected"] == 9);

        const auto published = live.call("POST", "/api/v1/deployments", deploy_prod);
        REQUIRE(published.status == 201);
        CHECK(published.body["seq"] == 1);
        first_id = published.body["id"];
        CHECK(published.text.find("s3cret-value") == std::string::npos);
        const auto same = live.call("POST", "/api/v1/deployments", deploy_prod);
        CHECK(same.status == 200);
        CHECK(same.body["unchanged"] == true);
        CHECK(same.body["seq"] == 1);

        REQUIRE(eventually([&] { return node.offered("plan").has_value(); }));
        const auto root_bytes = node.fetch(*node.offered("root"));
        REQUIRE(root_bytes);
        const auto root = verify_first_root(Envelope::decode(*root_bytes).value()).value();
        node.send(control::Hello{node.site, node.server_id, 0, 0, 0, "test"});
        REQUIRE(eventually([&] { return node.offered("plan").has_value(); }));
        const auto plan_ad = *node.offered("plan");
        const auto manifest_ad = *node.offered("manifest");
        const auto plan_bytes = node.fetch(plan_ad);
        REQUIRE(plan_bytes);
        const auto envelope = Envelope::decode(*plan_bytes).value();
        CHECK(envelope.digest() == plan_ad.digest);
        PlanContext context;
        context.site = "acme/dc-1";
        context.now_unix_s = wall_s();
        const auto plan = verify_plan(root, context, envelope);
        REQUIRE(plan);
        REQUIRE(plan->find(node.server_id) != nullptr);
        const auto& service = plan->find(node.server_id)->services.at(0);
        const auto opened = node.key.open_sealed(service.sealed_config);
        REQUIRE(opened);
        CHECK(ServiceConfig::decode(*opened)->env.at("PASSWORD") == "s3cret-value");
        CHECK(plan_bytes->find("s3cret-value") == std::string::npos);
        const auto manifest = node.fetch(manifest_ad);
        REQUIRE(manifest);
        CHECK(verify_manifest(root, Envelope::decode(*manifest).value()));

        const auto path = "/api/v1/deployments/" + first_id;
        CHECK(live.call("GET", path).body["state"] == "pending");
        node.send(node.report_of(1, node.record(1, 1, false)));
        CHECK(eventually([&] { return live.call("GET", path).body["state"] == "running"; }));
        node.send(node.report_of(2, node.record(2, 1, true)));
        CHECK(eventually([&] { return live.call("GET", path).body["state"] == "done"; }));
        const auto status = live.call("GET", "/api/v1/sites/acme/dc-1/status").body;
        CHECK(status["plan"]["seq"] == 1);
        CHECK(status["servers"][0]["state"] == "alive");
        CHECK(status["servers"][0]["witness"] == "edge-1");
        CHECK(live.call("PUT", path + "/rollback").status == 409);  // nothing before it
        CHECK(eventually(
            [&] { return live.call("GET", "/api/v1/deployments").body[0]["state"] == "done"; }));
        node.disconnect();
    }
    const LiveCoordinator live(dir.path);  // all of it has outlived a restart
    const auto history = live.call("GET", "/api/v1/deployments?site=acme/dc-1").body;
    REQUIRE(history.size() == 1);
    CHECK(history[0]["state"] == "done");
    REQUIRE(
        live.call("PUT", "/api/v1/inventory", Json{{"files", inventory_files("1.1.0")}}).status ==
        200);
    const auto second = live.call("POST", "/api/v1/deployments", deploy_prod);
    REQUIRE(second.status == 201);
    CHECK(second.body["seq"] == 2);
    CHECK(second.body["changes"][0]["to"] == "1.1.0");
    const auto second_path = "/api/v1/deployments/" + second.body["id"].get<std::string>();
    const auto back = live.call("PUT", second_path + "/rollback");
    REQUIRE(back.status == 201);
    CHECK(back.body["seq"] == 3);
    CHECK(back.body["changes"][0]["to"] == "1.0.0");
    CHECK(live.call("GET", second_path).body["state"] == "rolled_back");

    const auto audit = live.call("GET", "/api/v1/audit").text;
    CHECK(audit.find("deployment.rollback") != std::string::npos);
    CHECK(audit.find("secret.put") != std::string::npos);
    CHECK(audit.find("s3cret-value") == std::string::npos);
    CHECK(live.call("GET", "/api/v1/secrets?client=acme").body == Json{"web.password"});
}

TEST_CASE("control service: strangers, other sites' members and the revoked get nothing") {
    init_crypto();
    const TempDir dir;
    const LiveCoordinator live(dir.path);
    const Operator op;
    prepare(live, op);
    LiveNode node("edge-1");
    REQUIRE(node.enrol(live, join_token(live)).status == 200);
    node.connect(live);
    REQUIRE(eventually([&] { return node.offered("roster").has_value(); }));

    LiveNode stranger("edge-2");
    stranger.site = node.site;
    stranger.server_id = node.server_id;
    stranger.connect(live);

    // A record that its owner did not sign changes nothing; a good one sent after it does.
    LiveNode forger("edge-1");
    forger.site = node.site;
    forger.server_id = node.server_id;
    node.send(node.report_of(99, forger.record(99, 7, true)));
    node.send(node.report_of(1, node.record(1, 0, true)));
    const auto agent = "/api/v1/agents/" + node.server_id + "/status";
    const bool came =
        eventually([&] { return live.call("GET", agent).body["agent_version"] == "test"; });
    CAPTURE(live.call("GET", agent).text, live.call("GET", "/metrics", {}, "").text);
    REQUIRE(came);
    CHECK(live.call("GET", agent).body["plan_seq"] == 0);
    CHECK_FALSE(stranger.last<control::Offer>());

    const auto ordered = live.call("POST", "/api/v1/agents/" + node.server_id + "/command",
                                   Json{{"action", "restart"}, {"service", "web"}});
    REQUIRE(ordered.status == 202);
    REQUIRE(eventually([&] { return node.last<control::Order>().has_value(); }));
    const auto command =
        Command::decode(Envelope::decode(node.last<control::Order>()->envelope).value().payload)
            .value();
    CHECK(command.action == "restart");
    CHECK(command.nonce == ordered.body["nonce"]);
    node.send(control::OrderResult{command.nonce, true, "restarted"});
    const auto result = "/api/v1/agents/" + node.server_id + "/command/" + command.nonce;
    CHECK(eventually([&] { return live.call("GET", result).status == 200; }));
    CHECK(live.call("POST", "/api/v1/agents/" + node.server_id + "/command",
                    Json{{"action", "explode"}})
              .status == 400);

    REQUIRE(live.call("DELETE", "/api/v1/agents/" + node.server_id).status == 200);
    CHECK(live.call("POST", "/api/v1/agents/" + node.server_id + "/command",
                    Json{{"action", "restart"}})
              .status == 404);
}

TEST_CASE("coordinator: a second one on the same state, and a port in use, are one clear line") {
    init_crypto();
    const TempDir dir;
    const LiveCoordinator live(dir.path);
    boost::asio::io_context loop;
    auto config = live.config();
    const auto locked = coordinator::Coordinator::start(loop, config);
    REQUIRE_FALSE(locked);
    CHECK(locked.error().message.find("locked by another process") != std::string::npos);
    CHECK(locked.error().message.find(dir.path) != std::string::npos);

    const TempDir other;
    config.state_dir = other.path;
    config.rest_listen = fmt::format("127.0.0.1:{}", live.get().rest_port());
    const auto in_use = coordinator::Coordinator::start(loop, config);
    REQUIRE_FALSE(in_use);
    CHECK(in_use.error().message.find("rest.listen") != std::string::npos);
    config.rest_listen = "127.0.0.1:0";
    config.control_listen = fmt::format("127.0.0.1:{}", live.get().control_port());
    const auto control_in_use = coordinator::Coordinator::start(loop, config);
    REQUIRE_FALSE(control_in_use);
    CHECK(control_in_use.error().message.find("control.listen") != std::string::npos);
}
