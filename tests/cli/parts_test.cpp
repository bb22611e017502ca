#include <catch2/catch.hpp>
#include <sys/stat.h>

#include <set>

#include "cli/api.hpp"
#include "cli/artifact.hpp"
#include "cli/command.hpp"
#include "cli/config_store.hpp"
#include "cli/node_query.hpp"
#include "tests/cli/process.hpp"

using namespace clarity;
using namespace clarity::cli;

namespace {

unsigned mode_of(const std::string& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 ? info.st_mode & 0777U : 0;
}

Roster two_servers() {
    Roster roster;
    roster.site = "acme/dc-1";
    roster.epoch = 1;
    const auto any_key = [] { return SigningKey::generate().public_key(); };
    roster.members = {{"id-1", "edge-1", any_key(), "tcp://10.0.0.1:8472", ""},
                      {"id-2", "edge-2", any_key(), "tcp://[fd00::2]:8472", ""}};
    return roster;
}

}  // namespace

TEST_CASE("url: a coordinator is reached over https and nothing else", "[cli]") {
    CHECK(normal_url("host").value() == "https://host:8470");
    CHECK(normal_url("https://host/").value() == "https://host:8470");
    CHECK(normal_url("https://10.0.0.1:9000").value() == "https://10.0.0.1:9000");
    CHECK(normal_url("[::1]").value() == "https://[::1]:8470");
    CHECK(normal_url("[::1]:9").value() == "https://[::1]:9");
    for (const auto* bad : {"", "http://host", "ftp://host", "https://", "https://a/b", "a b",
                            "https://user@host", "https://host?x"}) {
        CAPTURE(bad);
        CHECK_FALSE(normal_url(bad));
    }
}

TEST_CASE("artifact name: both halves are there and nothing else", "[cli]") {
    const auto name = parse_artifact_name("monitoring-stack@2.45.0-10.0.1");
    REQUIRE(name);
    CHECK(name->artifact == "monitoring-stack");
    CHECK(name->version == "2.45.0-10.0.1");
    for (const auto* bad : {"", "a", "@1", "a@", "a b@1", "a@1@2", "a/b@1", "../x@1"}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_artifact_name(bad));
    }
}

TEST_CASE("commands: each has a path, a summary and a function, and no two share a path", "[cli]") {
    std::set<std::string_view> paths;
    for (const auto& command : commands()) {
        CAPTURE(command.path);
        CHECK(paths.insert(command.path).second);
        CHECK_FALSE(command.summary.empty());
        CHECK(command.run != nullptr);
    }
    CHECK(paths.contains("publish"));
}

TEST_CASE("config: a context comes back as it was stored, readable by its owner alone", "[cli]") {
    const test::TempFolder folder;
    const ConfigStore store(folder.path() + "/clarity");
    const auto none = store.context();
    REQUIRE_FALSE(none);
    CHECK(none.error().code == Errc::not_found);
    CHECK(none.error().message.find("clarity login") != std::string::npos);

    REQUIRE(store.save({"https://h:8470", "PEM", "secret", "ab", Bytes("\0\xff", 2)}));
    const auto context = store.context();
    REQUIRE(context);
    CHECK(context->token == "secret");
    CHECK(context->root == Bytes("\0\xff", 2));
    CHECK(mode_of(store.folder() + "/context.json") == 0600);
    CHECK(mode_of(store.folder()) == 0700);
}

TEST_CASE("config: a key file is never overwritten and asks for its passphrase", "[cli]") {
    const test::TempFolder folder;
    const ConfigStore store(folder.path());
    const auto path = store.key_path("publisher");
    const auto key = SigningKey::generate();
    REQUIRE(ConfigStore::write_key(path, key, "correct horse"));
    CHECK(mode_of(path) == 0600);
    CHECK(ConfigStore::is_encrypted(path));
    CHECK(ConfigStore::read_key(path, "").error().code == Errc::denied);
    CHECK(ConfigStore::read_key(path, "wrong").error().code == Errc::denied);
    CHECK(ConfigStore::read_key(path, "correct horse").value().public_key() == key.public_key());
    CHECK(ConfigStore::write_key(path, key, "").error().code == Errc::exists);
}

TEST_CASE("config: a stored roster counts only while the root vouches for it", "[cli]") {
    const test::TempFolder folder;
    const ConfigStore store(folder.path());
    const auto coordinator = SigningKey::generate();
    Root root;
    root.roles[role::root] = Role{{coordinator.public_key()}, 1};
    root.roles[role::coordinator] = Role{{coordinator.public_key()}, 1};
    auto envelope = Envelope::make(payload_type::roster, two_servers().encode());
    envelope.sign(coordinator);
    REQUIRE(store.save_roster("acme/dc-1", envelope));
    REQUIRE(store.rosters(root).size() == 1);
    CHECK(store.rosters(root).front().members.size() == 2);

    Root other = root;
    other.roles[role::coordinator] = Role{{SigningKey::generate().public_key()}, 1};
    CHECK(store.rosters(other).empty());
}

TEST_CASE("node: an address names a member by host, port, hostname or id", "[cli]") {
    const std::vector<Roster> rosters = {two_servers()};
    CHECK(find_node(rosters, "10.0.0.1").value().name == "edge-1");
    CHECK(find_node(rosters, "10.0.0.1:8472").value().name == "edge-1");
    CHECK(find_node(rosters, "tcp://10.0.0.1:8472").value().name == "edge-1");
    CHECK(find_node(rosters, "edge-2").value().endpoint == "tcp://[fd00::2]:8472");
    CHECK(find_node(rosters, "[fd00::2]").value().name == "edge-2");
    CHECK(find_node(rosters, "id-2").value().name == "edge-2");
    // Another port at a known hostname: through a forwarded port.
    CHECK(find_node(rosters, "edge-1:9000").value().endpoint == "tcp://edge-1:9000");
    CHECK(find_node(rosters, "10.0.0.1:1").error().code == Errc::not_found);
    CHECK(find_node(rosters, "10.0.0.9").error().message.find("roster") != std::string::npos);
}
