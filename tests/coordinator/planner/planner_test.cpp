#include "coordinator/planner/planner.hpp"

#include <catch2/catch.hpp>

#include "protocol/delta.hpp"
#include "protocol/sha256.hpp"

using namespace clarity;
using planner::Action;

namespace {

const Bytes key(32, 'k');

/// A site of one enrolled server with two services, `app` depending on `db`.
struct Site {
    inventory::Files files = inventory::scaffold();
    SigningKey identity = (init_crypto(), SigningKey::generate());
    Roster roster;
    std::vector<planner::KnownManifest> manifests;
    std::string secret = "hunter2";

    Site() {
        files["artifacts/registry.yml"] =
            "artifacts:\n"
            "  - {id: hello, type: binary}\n"
            "  - {id: db, type: lxc, version: 1.0.0}\n"
            "  - {id: app, type: binary, version: 2.0.0, dependencies: [{artifact_id: db}]}\n";
        files["profiles/prod/db.yml"] = scenario("db", "1.0.0", 3, "ports: [{internal: 5432}]");
        files["profiles/prod/app.yml"] =
            scenario("app", "2.0.0", 0, "env_vars: {PW: \"${SECRET:pw}\", N: 1}");
        roster.site = "acme/dc-1";
        roster.members.push_back(
            {"5f0c4a4e-6a51-4f0b-9f8e-0d6c6b1f2a03", "edge-1", identity.public_key(), "", ""});
        add("hello", "1.0.0", ArtifactType::binary);
        add("db", "1.0.0", ArtifactType::lxc);
        add("app", "2.0.0", ArtifactType::binary);
    }

    static std::string scenario(const std::string& id, const std::string& version, int priority,
                                const std::string& settings) {
        return fmt::format(
            "artifact: {{id: {}, version: {}}}\n"
            "deployment:\n  profile: prod\n  client: acme\n  priority: {}\n"
            "  configuration:\n    {}\n",
            id, version, priority, settings);
    }

    void add(const std::string& id, const std::string& version, ArtifactType type) {
        planner::KnownManifest out;
        out.manifest.artifact = id;
        out.manifest.version = version;
        out.manifest.type = type;
        out.manifest.size_bytes = 1000;
        out.manifest.sha256.data[0] = static_cast<std::uint8_t>(manifests.size() + 1);
        out.digest.data[0] = static_cast<std::uint8_t>(manifests.size() + 1);
        manifests.push_back(out);
    }

    Result<Plan> plan(const Plan* previous = nullptr, bool allow_downgrade = false,
                      std::vector<std::string>* warnings = nullptr) {
        const auto loaded = inventory::load(files);
        for (const auto& each : loaded.problems) UNSCOPED_INFO(each.text());
        REQUIRE(loaded.ok());
        planner::PlannerInput input{.inventory = loaded.inventory, .roster = roster};
        input.client = "acme";
        input.datacenter = "dc-1";
        input.manifests = manifests;
        input.secret = [&](const std::string&) -> Result<std::string> {
            if (secret.empty()) return fail(Errc::not_found, "is not in the vault");
            return secret;
        };
        input.previous = previous;
        input.seq = previous == nullptr ? 1 : previous->seq + 1;
        input.id = "d1";
        input.fingerprint_key = ::key;
        input.allow_downgrade = allow_downgrade;
        return planner::make_plan(input, warnings);
    }

    std::vector<planner::Change> changes(const Plan& before) {
        const auto after = plan(&before);
        REQUIRE(after);
        return planner::diff_plans(&before, *after, {{roster.members[0].server_id, "edge-1"}});
    }
};

const Service& service(const Plan& plan, const std::string& name) {
    for (const auto& each : plan.servers.at(0).services) {
        if (each.name == name) return each;
    }
    FAIL("no service " << name);
    throw 0;
}

}  // namespace

TEST_CASE("planner: a plan has the site's services, in order, with sealed configuration") {
    Site site;
    const auto plan = site.plan();
    REQUIRE(plan);
    CHECK(Plan::decode(plan->encode()));
    CHECK(plan->servers.at(0).services.size() == 3);
    CHECK(plan->manifests.size() == 3);
    const auto& app = service(*plan, "app");
    CHECK(app.after == std::vector<std::string>{"db"});
    CHECK(app.priority == 3);  // not before what it depends on
    const auto opened = site.identity.open_sealed(app.sealed_config);
    REQUIRE(opened);
    const auto config = ServiceConfig::decode(*opened);
    REQUIRE(config);
    CHECK(config->env.at("PW") == "hunter2");
    CHECK(config->env.at("N") == "1");
    CHECK(plan->encode().find("hunter2") == std::string::npos);
    const auto repositories =
        site.identity.open_sealed(plan->sealed_repositories.at(plan->servers[0].server_id));
    REQUIRE(repositories);
    CHECK(RepositorySet::decode(*repositories)->find("origin")->base_url ==
          "http://origin.example.com/artifacts");
}

TEST_CASE("planner: the same input changes nothing although sealed bytes differ") {
    Site site;
    const auto first = site.plan();
    REQUIRE(first);
    CHECK(site.changes(*first).empty());
    CHECK(planner::terms_fingerprint(*first, key) == planner::terms_fingerprint(*site.plan(), key));
    CHECK(service(*first, "app").sealed_config != service(*site.plan(), "app").sealed_config);
}

TEST_CASE("planner: whatever must redeploy a service changes its fingerprint, and only its own") {
    Site site;
    const auto first = site.plan();
    REQUIRE(first);
    const auto settings =
        GENERATE(as<std::string>{}, "env_vars: {N: 2}", "user: nobody", "command: [run]",
                 "restart_policy: never", "autostart: false", "resources: {memory_mb: 64}",
                 "resources: {cpu_percent: 10}", "ports: [{internal: 99}]", "network: host",
                 "config_files: [{path: /x, content: \"y z\"}]",
                 "volumes: [{host_path: /a, container_path: /b}]");
    CAPTURE(settings);
    site.files["profiles/prod/app.yml"] = Site::scenario("app", "2.0.0", 0, settings);
    const auto changes = site.changes(*first);
    REQUIRE(changes.size() == 1);
    CHECK(changes[0].service == "app");
    CHECK(changes[0].action == Action::restart);
    CHECK(changes[0].server == "edge-1");
}

TEST_CASE("planner: a new secret restarts what uses it; priority and start watch restart nothing") {
    Site site;
    const auto first = site.plan();
    REQUIRE(first);
    site.files["profiles/prod/db.yml"] =
        Site::scenario("db", "1.0.0", 9, "ports: [{internal: 5432}]\n    startup: {stable_s: 9}");
    CHECK(site.changes(*first).empty());
    CHECK(planner::terms_fingerprint(*first, key) != planner::terms_fingerprint(*site.plan(), key));
    site.secret = "correct horse";
    const auto changes = site.changes(*first);
    REQUIRE(changes.size() == 1);
    CHECK(changes[0].service == "app");
}

TEST_CASE("planner: versions, removals and additions are told apart") {
    Site site;
    const auto first = site.plan();
    REQUIRE(first);
    site.files["profiles/prod/app.yml"] = Site::scenario("app", "2.1.0", 0, "{}");
    site.files["artifacts/versions.yml"] += "  - {artifact_id: app, version: 2.1.0}\n";
    site.files.erase("profiles/prod/hello.yml");
    CHECK_FALSE(site.plan());  // no manifest yet
    site.add("app", "2.1.0", ArtifactType::binary);
    const auto changes = site.changes(*first);
    REQUIRE(changes.size() == 2);
    CHECK(changes[0].action == Action::update);
    CHECK(changes[0].from == "2.0.0");
    CHECK(changes[0].to == "2.1.0");
    CHECK(changes[1].action == Action::remove);
    CHECK(changes[1].service == "hello");
    CHECK(planner::diff_plans(nullptr, *first, {}).size() == 3);
}

TEST_CASE("planner: an older version needs a signed allow_downgrade") {
    Site site;
    site.files["artifacts/versions.yml"] += "  - {artifact_id: app, version: 2.1.0}\n";
    site.add("app", "2.1.0", ArtifactType::binary);
    const auto scenario = site.files["profiles/prod/app.yml"];
    site.files["profiles/prod/app.yml"] = Site::scenario("app", "2.1.0", 0, "{}");
    const auto newer = site.plan();
    REQUIRE(newer);
    site.files["profiles/prod/app.yml"] = scenario;
    const auto refused = site.plan(&*newer);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::denied);
    const auto allowed = site.plan(&*newer, true);
    REQUIRE(allowed);
    CHECK(allowed->allow_downgrade);
}

TEST_CASE("planner: missing manifests and secrets are all told, with file and line") {
    Site site;
    site.manifests.clear();
    const auto plan = site.plan();
    REQUIRE_FALSE(plan);
    CHECK(plan.error().code == Errc::not_found);
    CHECK_THAT(plan.error().message, Catch::Contains("profiles/prod/app.yml:1: app@2.0.0") &&
                                         Catch::Contains("hello@1.0.0"));
    Site other;
    other.secret.clear();
    const auto without = other.plan();
    REQUIRE_FALSE(without);
    CHECK_THAT(without.error().message, Catch::Contains("${SECRET:pw}: is not in the vault"));
}

TEST_CASE("planner: servers outside the roster are left out and told") {
    Site site;
    site.files["clients/acme/servers.yml"] +=
        "  - {id: s2, datacenter_id: dc-1, hostname: edge-2, ip_addresses: {management: "
        "10.0.0.2}}\n";
    std::vector<std::string> warnings;
    const auto plan = site.plan(nullptr, false, &warnings);
    REQUIRE(plan);
    CHECK(plan->servers.size() == 1);
    REQUIRE(warnings.size() == 1);
    CHECK_THAT(warnings[0], Catch::Contains("edge-2"));
    site.roster.members.clear();
    CHECK(site.plan().error().code == Errc::not_found);
}

TEST_CASE("planner: a circle that only manifests make is refused") {
    Site site;
    site.manifests[1].manifest.dependencies.push_back({"app", ""});
    const auto plan = site.plan();
    REQUIRE_FALSE(plan);
    CHECK_THAT(plan.error().message, Catch::Contains("circle"));
}

TEST_CASE("planner: the most careful rollout wins") {
    Site site;
    site.files["profiles/prod/app.yml"] += "  rollout: {batch_size: 4, canary: 1, max_failed: 2}\n";
    site.files["profiles/prod/db.yml"] += "  rollout: {batch_size: 2, max_failed: 3}\n";
    const auto plan = site.plan();
    REQUIRE(plan);
    CHECK(plan->rollout.batch_size == 2);
    CHECK(plan->rollout.canary == 1);
    CHECK(plan->rollout.max_failed == 2);
}

namespace {

/// 100 chunks of 1,000 bytes; those below `same` are what every version has.
Manifest chunked(const std::string& version, unsigned same) {
    Manifest out;
    out.artifact = "image";
    out.version = version;
    out.sha256 = sha256(version);
    for (unsigned i = 0; i < 100; ++i) {
        const auto hash = sha256(std::to_string(i) + (i < same ? "" : version));
        out.chunks += Bytes("\xe8\x03\x00\x00", 4) + Bytes(hash.view().substr(0, 16));
    }
    out.size_bytes = 100'000;
    return out;
}

}  // namespace

TEST_CASE("planner: an upgrade is expected to cost what the fetcher lacks, as it is stored") {
    const auto old = chunked("1", 90);
    auto wanted = chunked("2", 90);
    CHECK(planner::expected_wan_bytes(wanted, {}) == 100'000);
    CHECK(planner::expected_wan_bytes(wanted, {{"a", {}}, {"b", {}}}) == 100'000);
    // Whoever holds the old version is elected, whatever its rank was.
    CHECK(planner::expected_wan_bytes(wanted, {{"a", {&old}}, {"b", {}}}) == 10'000);
    CHECK(planner::expected_wan_bytes(wanted, {{"a", {}}, {"b", {&old}}}) == 10'000);
    // Stored as frames of 10 chunks, each packed to 300 bytes.
    wanted.stored = StoredForm{"zstd", 3'100, {}};
    for (int i = 0; i < 10; ++i) delta::append_frame(wanted.stored->frames, 300, 10);
    CHECK(planner::expected_wan_bytes(wanted, {}) == 3'000);
    CHECK(planner::expected_wan_bytes(wanted, {{"a", {&old}}}) == 300);
    // What saves less than a tenth is pulled whole.
    const auto other = chunked("3", 5);
    CHECK(planner::expected_wan_bytes(chunked("4", 5), {{"a", {&other}}}) == 100'000);
}
