#include "coordinator/site_state.hpp"

#include "coordinator/deployment_state.hpp"
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

/// A report that changes these views and says nothing of the rest.
control::Report part(std::vector<control::View> views) {
    control::Report out;
    out.seq = 1;
    out.is_primary = true;
    out.changes = std::move(views);
    return out;
}

/// A report of a whole view without changes.
control::Report renewal(const control::ViewTable& table, std::int64_t fresh_ms) {
    control::Report out;
    out.seq = 2;
    out.is_primary = true;
    out.digest = table.digest();
    out.fresh_ms = fresh_ms;
    return out;
}

}  // namespace

TEST_CASE("site state: a record counts only when its owner signed it, and never goes back") {
    const Site site;
    SiteState state;
    auto outcome = state.report(1000, site.roster, "a",
                                part({{"a", "alive", 0, "a", {1, 5}, site.a.record(5)},
                                      {"b", "alive", 200, "a", {1, 3}, site.b.record(3)}}));
    CHECK(outcome.records == 2);
    outcome = state.report(2000, site.roster, "a",
                           part({{"b", "alive", 0, "a", {}, site.a.record(9)},  // another's record
                                 {"a", "alive", 0, "a", {}, site.a.record(4)},  // older
                                 {"c", "alive", 0, "a", {}, site.a.record(9)},  // no member
                                 {"b", "splendid", 0, "a", {}, {}},             // no state
                                 {"b", "alive", 0, "a", {}, Bytes(100'000, 'x')}}));  // too big
    CHECK(outcome.records == 0);
    CHECK(outcome.refused == 4);
    CHECK(state.record("acme/dc-1", "a")->version.seq == 5);
    auto forged = Envelope::decode(site.b.record(99)).value();
    forged.payload.back() ^= 1;
    CHECK(state
              .report(2100, site.roster, "a",
                      part({{"b", "alive", 0, "a", {1, 99}, forged.encode()}}))
              .refused == 1);
    CHECK(state.record("acme/dc-1", "b")->version.seq == 3);
}

TEST_CASE("site state: a server that was replaced begins anew, its old key's record is gone") {
    Site site;
    SiteState state;
    state.report(1000, site.roster, "a",
                 part({{"a", "alive", 0, "a", {1, 900}, site.a.record(900, 7)}}));
    site.a.key = SigningKey::generate();  // another machine, with an empty disk
    site.roster.members[0] = site.a.member();
    CHECK_FALSE(state.servers(1500, site.roster)[0].record);
    const auto outcome = state.report(2000, site.roster, "a",
                                      part({{"a", "alive", 0, "a", {1, 1}, site.a.record(1, 8)}}));
    CHECK(outcome.records == 1);
    REQUIRE(state.servers(2000, site.roster)[0].record);
    CHECK(state.servers(2000, site.roster)[0].record->plan_seq == 8);
}

TEST_CASE("site state: ages grow, the witness is named, and silence makes states unknown") {
    const Site site;
    SiteState state;
    CHECK(state.silence_of(5, "acme/dc-1") == -1);
    CHECK(state.servers(5, site.roster)[0].state == "unknown");
    state.report(1000, site.roster, "a",
                 part({{"b", "dead", 700, "a", {}, {}}, {"a", "alive", 0, "a", {}, {}}}));
    auto views = state.servers(3000, site.roster);
    CHECK(views[1].state == "dead");
    CHECK(views[1].age_ms == 2700);
    CHECK(views[1].witness == "host-a");
    // The other uplink has heard of b before that: its older evidence does not win.
    state.report(1100, site.roster, "b", part({{"b", "alive", 5000, "b", {}, {}}}));
    CHECK(state.servers(3000, site.roster)[1].state == "dead");
    state.report(1200, site.roster, "b", part({{"b", "alive", 10, "b", {}, {}}}));
    CHECK(state.servers(3000, site.roster)[1].state == "alive");
    // The first one's word comes again, much later: what the other said is out of date.
    state.report(20'000, site.roster, "a", part({{"b", "dead", 19'900, "a", {}, {}}}));
    CHECK(state.servers(20'000, site.roster)[1].state == "dead");
    views = state.servers(20'000 + SiteState::silence_ms + 1, site.roster);
    CHECK(views[1].state == "unknown");
    CHECK(views[1].age_ms > SiteState::silence_ms);
}

TEST_CASE("site state: a report without changes renews the alive, and nothing beyond its word") {
    const Site site;
    SiteState state;
    control::ViewTable table;
    table.set("a", "alive", {});
    table.set("b", "dead", {});
    state.report(10'000, site.roster, "a",
                 part({{"a", "alive", 0, "a", {}, {}}, {"b", "dead", 4000, "a", {}, {}}}));
    auto outcome = state.report(70'000, site.roster, "a", renewal(table, 1500));
    CHECK(outcome.agreed);
    auto views = state.servers(70'000, site.roster);
    CHECK(views[0].age_ms == 1500);
    CHECK(views[1].age_ms == 64'000);  // nobody heard the dead one since

    // What the reporter cannot vouch for stays as old as it was.
    auto stale = renewal(table, 100);
    stale.stale = {"a"};
    state.report(130'000, site.roster, "a", stale);
    CHECK(state.servers(130'000, site.roster)[0].age_ms == 61'500);

    // A report that was 4 s under way is not fresher for having arrived now.
    auto late = renewal(table, 500);
    late.at_ms = 186'000;
    state.report(190'000, site.roster, "a", late);
    CHECK(state.servers(190'000, site.roster)[0].age_ms == 4500);
    CHECK(state.silence_of(190'000, "acme/dc-1") == 4000);

    // A digest of another view renews nothing, and what differs is asked for.
    table.set("b", "alive", {1, 1});
    outcome = state.report(200'000, site.roster, "a", renewal(table, 0));
    CHECK_FALSE(outcome.agreed);
    CHECK(outcome.ack.buckets.size() == control::ViewTable::buckets_count);
    CHECK(state.servers(200'000, site.roster)[0].age_ms == 14'500);
    CHECK(state.servers(200'000, site.roster)[1].state == "dead");
}

TEST_CASE("site state: a site that was asked and does not answer is unknown soon") {
    const Site site;
    SiteState state;
    state.report(1000, site.roster, "a", part({{"a", "alive", 0, "a", {}, {}}}));
    state.asked(20'000, "acme/dc-1");
    CHECK(state.servers(29'000, site.roster)[0].state == "alive");
    state.asked(29'500, "acme/dc-1");  // once more changes nothing
    CHECK(state.servers(30'500, site.roster)[0].state == "unknown");
    state.report(31'000, site.roster, "a", part({}));
    CHECK(state.servers(50'000, site.roster)[0].state == "alive");
}

TEST_CASE("site state: a hostile reporter fills no memory and hides no record of others") {
    const Site site;
    SiteState state;
    std::vector<control::View> flood;
    for (int i = 0; i < 5000; ++i)
        flood.push_back({"x" + std::to_string(i), "alive", 0, "", {}, {}});
    auto flooding = part(flood);
    flooding.fresh_ms = 0;
    CHECK(state.report(1000, site.roster, "b", flooding).refused == 5000);
    CHECK(state.servers(1000, site.roster).size() == 2);
    // b spoils a's record; a's own word of it is asked for and taken all the same.
    state.report(2000, site.roster, "b", part({{"a", "alive", 0, "b", {1, 4}, "garbage"}}));
    control::ViewTable table;
    table.set("a", "alive", {1, 4});
    auto own = renewal(table, 0);
    own.changes = {{"a", "alive", 0, "a", {1, 4}, {}}};
    CHECK(state.report(9000, site.roster, "a", own).ack.wanted == std::vector<std::string>{"a"});
    CHECK(state
              .report(9100, site.roster, "a",
                      part({{"a", "alive", 0, "a", {1, 4}, site.a.record(4)}}))
              .records == 1);
}

TEST_CASE("deployment state: follows from the servers' own records") {
    const Site site;
    const std::vector<std::string> servers{"a", "b"};
    const auto state_of = [&](const Bytes& a, const Bytes& b) {
        SiteState state;
        state.report(1, site.roster, "a",
                     part({{"a", "alive", 0, "a", {}, a}, {"b", "alive", 0, "a", {}, b}}));
        return name_of(deployment_state(7, servers, state.servers(1, site.roster)));
    };
    CHECK(state_of({}, {}) == "pending");
    CHECK(state_of(site.a.record(1, 6), site.b.record(1, 6)) == "pending");
    CHECK(state_of(site.a.record(1, 7), site.b.record(1, 6)) == "running");
    CHECK(state_of(site.a.record(1, 7), site.b.record(1, 7, false)) == "running");
    CHECK(state_of(site.a.record(1, 7), site.b.record(1, 7)) == "done");
    CHECK(state_of(site.a.record(1, 8, false), site.b.record(1, 7)) == "done");
    CHECK(state_of(site.a.record(1, 7), site.b.record(1, 7, true, true)) == "rolled_back");
}
