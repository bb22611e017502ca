#include "coordinator/config.hpp"
#include "coordinator/deployment_state.hpp"
#include "coordinator/rosters.hpp"
#include "coordinator/site_state.hpp"
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
    Bytes record(std::uint64_t seq, std::uint64_t plan_seq = 1, bool settled = true,
                 bool failed = false) const {
        Record out;
        out.site = "acme/dc-1";
        out.server_id = id;
        out.version = {1, seq};
        out.plan_seq = plan_seq;
        out.plan_settled = settled;
        out.plan_failed = failed;
        auto envelope = Envelope::make(payload_type::record, out.encode());
        envelope.sign(key);
        return envelope.encode();
    }
};

struct Site {
    Node a{"a"};
    Node b{"b"};
    Roster roster;
    Site() {
        init_crypto();
        roster.site = "acme/dc-1";
        roster.epoch = 1;
        roster.members = {a.member(), b.member()};
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

TEST_CASE("site state: a record counts only when its owner signed it, and never goes back") {
    const Site site;
    SiteState state;
    auto outcome = state.report(
        1000, site.roster, "a",
        {{"a", "alive", 0, "a", site.a.record(5)}, {"b", "alive", 200, "a", site.b.record(3)}});
    CHECK(outcome.records == 2);
    outcome = state.report(2000, site.roster, "a",
                           {{"b", "alive", 0, "a", site.a.record(9)},       // another's record
                            {"a", "alive", 0, "a", site.a.record(4)},       // older
                            {"c", "alive", 0, "a", site.a.record(9)},       // no member
                            {"b", "splendid", 0, "a", {}},                  // no state
                            {"b", "alive", 0, "a", Bytes(100'000, 'x')}});  // too big
    CHECK(outcome.records == 0);
    CHECK(outcome.refused == 4);
    CHECK(state.record("acme/dc-1", "a")->version.seq == 5);
    auto forged = Envelope::decode(site.b.record(99)).value();
    forged.payload.back() ^= 1;
    CHECK(state.report(2100, site.roster, "a", {{"b", "alive", 0, "a", forged.encode()}}).refused ==
          1);
    CHECK(state.record("acme/dc-1", "b")->version.seq == 3);
}

TEST_CASE("site state: a server that was replaced begins anew, its old key's record is gone") {
    Site site;
    SiteState state;
    state.report(1000, site.roster, "a", {{"a", "alive", 0, "a", site.a.record(900, 7)}});
    site.a.key = SigningKey::generate();  // another machine, with an empty disk
    site.roster.members[0] = site.a.member();
    CHECK_FALSE(state.servers(1500, site.roster)[0].record);
    const auto outcome =
        state.report(2000, site.roster, "a", {{"a", "alive", 0, "a", site.a.record(1, 8)}});
    CHECK(outcome.records == 1);
    REQUIRE(state.servers(2000, site.roster)[0].record);
    CHECK(state.servers(2000, site.roster)[0].record->plan_seq == 8);
}

TEST_CASE("site state: ages grow, the witness is named, and silence makes states unknown") {
    const Site site;
    SiteState state;
    CHECK(state.silence_of(5, "acme/dc-1") == -1);
    CHECK(state.servers(5, site.roster)[0].state == "unknown");
    state.report(1000, site.roster, "a", {{"b", "dead", 700, "a", {}}, {"a", "alive", 0, "a", {}}});
    auto views = state.servers(3000, site.roster);
    CHECK(views[1].state == "dead");
    CHECK(views[1].age_ms == 2700);
    CHECK(views[1].witness == "host-a");
    // The other uplink has heard of b before that: its older evidence does not win.
    state.report(1100, site.roster, "b", {{"b", "alive", 5000, "b", {}}});
    CHECK(state.servers(3000, site.roster)[1].state == "dead");
    state.report(1200, site.roster, "b", {{"b", "alive", 10, "b", {}}});
    CHECK(state.servers(3000, site.roster)[1].state == "alive");
    views = state.servers(1200 + SiteState::silence_ms + 1, site.roster);
    CHECK(views[1].state == "unknown");
    CHECK(views[1].age_ms > SiteState::silence_ms);
}

TEST_CASE("deployment state: follows from the servers' own records") {
    const Site site;
    const std::vector<std::string> servers{"a", "b"};
    const auto state_of = [&](const Bytes& a, const Bytes& b) {
        SiteState state;
        state.report(0, site.roster, "a", {{"a", "alive", 0, "a", a}, {"b", "alive", 0, "a", b}});
        return name_of(deployment_state(7, servers, state.servers(0, site.roster)));
    };
    CHECK(state_of({}, {}) == "pending");
    CHECK(state_of(site.a.record(1, 6), site.b.record(1, 6)) == "pending");
    CHECK(state_of(site.a.record(1, 7), site.b.record(1, 6)) == "running");
    CHECK(state_of(site.a.record(1, 7), site.b.record(1, 7, false)) == "running");
    CHECK(state_of(site.a.record(1, 7), site.b.record(1, 7)) == "done");
    CHECK(state_of(site.a.record(1, 8, false), site.b.record(1, 7)) == "done");
    CHECK(state_of(site.a.record(1, 7), site.b.record(1, 7, true, true)) == "rolled_back");
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
