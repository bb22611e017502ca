#include "coordinator/config.hpp"
#include "coordinator/rosters.hpp"
#include "tests/coordinator/support.hpp"

using namespace clarity;
using namespace clarity::coordinator;

namespace {

struct Node {
    std::string id;
    SigningKey key = SigningKey::generate();

    Member member() const {
        return {id, "host-" + id, key.public_key(), "tcp://127.0.0.1:1", "127.0.0.1:2"};
    }
};

}  // namespace

TEST_CASE("rosters: every change raises the epoch, is signed, and survives a restart") {
    init_crypto();
    const test::TempDir dir;
    const test::Operator op;
    const auto own = SigningKey::generate();
    const auto root = op.root(own.public_key());
    const Node a{"a"};
    const Node b{"b"};
    RosterCommon common{{"tcp://127.0.0.1:1", {}, "https://127.0.0.1:2"}, "ca"};
    {
        auto store = Store::open(dir.path + "/db").value();
        auto rosters = Rosters::load(*store, own).value();
        rosters.set_common(common);
        REQUIRE(rosters.put_member("acme/dc-1", b.member(), {}));
        REQUIRE(rosters.put_member("acme/dc-1", a.member(), {}));
        const auto observer = SigningKey::generate().public_key();
        CHECK(rosters.add_observer(observer, "admin", 1).value());
        CHECK_FALSE(rosters.add_observer(observer, "admin", 1).value());
        REQUIRE(rosters.remove_member("b"));
        CHECK(rosters.remove_member("b").error().code == Errc::not_found);
    }
    auto store = Store::open(dir.path + "/db").value();
    auto rosters = Rosters::load(*store, own).value();
    const auto* now = rosters.find("acme/dc-1");
    REQUIRE(now != nullptr);
    const auto roster =
        verify_roster(root, "acme/dc-1", Envelope::decode(now->bytes).value()).value();
    CHECK(roster.epoch == 4);
    CHECK(roster.members.size() == 1);
    CHECK(roster.observers.size() == 1);
    CHECK(rosters.locate(a.key.public_key())->second.server_id == "a");

    rosters.set_common(common);
    CHECK(rosters.refresh().value().empty());
    common.address.control_endpoint = "tcp://127.0.0.1:9";
    rosters.set_common(common);
    CHECK(rosters.refresh().value() == std::vector<std::string>{"acme/dc-1"});
    CHECK(rosters.find("acme/dc-1")->roster.epoch == 5);
    rosters.note_epoch("acme/dc-1", 40);  // as after an older backup was restored
    REQUIRE(rosters.put_member("acme/dc-1", b.member(), {}));
    CHECK(rosters.find("acme/dc-1")->roster.epoch == 41);
    rosters.note_epoch("acme/dc-1", ~std::uint64_t{0});  // a liar wastes little
    REQUIRE(rosters.remove_member("b"));
    CHECK(rosters.find("acme/dc-1")->roster.epoch == 1'000'042);
}

TEST_CASE("config: unknown keys warn, wrong ones are errors with file and line") {
    const auto good =
        parse_config("coordinator.yml",
                     "state_dir: /tmp/x\nrest:\n  listen: 127.0.0.1:0\n"
                     "  public_url: https://h:1/\nlog: {level: debug}\nstate_dr: y\n");
    REQUIRE(good);
    CHECK(good->config.state_dir == "/tmp/x");
    CHECK(good->config.rest_public_url == "https://h:1");
    REQUIRE(good->warnings.size() == 1);
    CHECK(good->warnings[0].find("coordinator.yml:6") != std::string::npos);
    CHECK(good->warnings[0].find("state_dir") != std::string::npos);
    const auto bad = parse_config("coordinator.yml", "rest:\n  public_url: http://h:1\n");
    REQUIRE_FALSE(bad);
    CHECK(bad.error().message.find("coordinator.yml:2") != std::string::npos);
    CHECK_FALSE(parse_config("coordinator.yml", "rest: [\n"));
    CHECK_FALSE(load_config("/nonexistent/coordinator.yml", true));
    CHECK(load_config("/nonexistent/coordinator.yml", false));
}

TEST_CASE("config: hosts and ports of what people write") {
    CHECK(host_of("https://h:1/x") == "h");
    CHECK(host_of("tcp://[::1]:8471") == "::1");
    CHECK(port_of("tcp://[::1]:8471") == 8471);
    CHECK(port_of("10.0.0.1") == 0);
    CHECK(port_of("h:99999") == 0);
    CHECK(host_port("::1", 5) == "[::1]:5");
    Config config;
    config.rest_listen = "127.0.0.1:0";
    config.control_listen = "127.0.0.2:0";
    CHECK(public_url(config, 7) == "https://127.0.0.1:7");
    CHECK(control_endpoint(config, "https://127.0.0.1:7", 8) == "tcp://127.0.0.2:8");
    config.control_advertise = "edge.example:9";
    CHECK(control_endpoint(config, "https://127.0.0.1:7", 8) == "tcp://edge.example:9");
    config.control_advertise.clear();
    config.control_listen = "0.0.0.0:0";
    CHECK(control_endpoint(config, "https://centre:7", 8) == "tcp://centre:8");
}
