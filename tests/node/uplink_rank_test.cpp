#include <algorithm>
#include <catch2/catch.hpp>

#include "node/uplink_rank.hpp"

using namespace clarity;

namespace {

/// A site on virtual time: each step every node decides from what the others' records say.
struct Site {
    explicit Site(int size) {
        for (int i = 0; i < size; ++i) {
            ids.push_back("s" + std::to_string(i));
            decisions.emplace_back(UplinkSettings{}, "acme/dc-1", ids.back());
            members.push_back({ids.back(), true, false});
        }
        can_reach.assign(ids.size(), true);
        holds.assign(ids.size(), false);
    }
    void run(std::int64_t ms) {
        for (const auto end = now + ms; now < end; now += 250) {
            for (std::size_t i = 0; i < ids.size(); ++i) {
                if (members[i].alive) {
                    holds[i] = decisions[i].step(now, members, members[i].reaches_coordinator);
                }
            }
            for (std::size_t i = 0; i < ids.size(); ++i) {
                members[i].reaches_coordinator = holds[i] && can_reach[i] && members[i].alive;
            }
        }
    }
    int trying() const { return static_cast<int>(std::count(holds.begin(), holds.end(), true)); }
    int primaries() const {
        return static_cast<int>(std::count_if(decisions.begin(), decisions.end(),
                                              [](const auto& each) { return each.is_primary(); }));
    }
    int reaching() const {
        int out = 0;
        for (const auto& member : members) out += member.reaches_coordinator ? 1 : 0;
        return out;
    }
    std::size_t index_of(const std::string& id) const {
        return static_cast<std::size_t>(std::stoi(id.substr(1)));
    }
    std::vector<std::string> ids;
    std::vector<UplinkDecision> decisions;
    std::vector<UplinkCandidate> members;
    std::vector<bool> can_reach;
    std::vector<bool> holds;
    std::int64_t now = 0;
};

}  // namespace

TEST_CASE("uplink: two of a site connect at once, the others stay quiet") {
    Site site(20);
    site.run(500);
    CHECK(site.reaching() == 2);
    CHECK(site.trying() == 2);
    CHECK(site.primaries() == 1);
    site.run(60'000);
    CHECK(site.reaching() == 2);
    CHECK(site.trying() == 2);
    CHECK(site.primaries() == 1);
}

TEST_CASE("uplink: when an uplink dies another takes over within seconds") {
    Site site(20);
    site.run(1000);
    const auto best = uplink_ranking("acme/dc-1", site.ids).front();
    site.members[site.index_of(best)] = {best, false, false};
    const auto second = uplink_ranking("acme/dc-1", site.ids)[1];
    site.run(250);
    CHECK(site.decisions[site.index_of(second)].is_primary());
    site.run(1000);
    CHECK(site.reaching() == 2);
}

TEST_CASE("uplink: when an uplink loses its WAN the next in rank is there within two seconds") {
    Site site(20);
    site.run(1000);
    const auto ranking = uplink_ranking("acme/dc-1", site.ids);
    site.can_reach[site.index_of(ranking[0])] = false;
    site.run(500);
    CHECK(site.decisions[site.index_of(ranking[1])].is_primary());
    site.run(1500);
    CHECK(site.reaching() == 2);
    CHECK(site.members[site.index_of(ranking[2])].reaches_coordinator);
}

TEST_CASE("uplink: of a large site without any WAN few knock at a time, and all in their turn") {
    Site site(60);
    site.can_reach.assign(60, false);
    std::vector<bool> tried(60, false);
    int most = 0;
    for (int step = 0; step < 200; ++step) {
        site.run(250);
        most = std::max(most, site.trying());
        for (std::size_t i = 0; i < 60; ++i) tried[i] = tried[i] || site.holds[i];
    }
    CHECK(most <= 2 + 3 * 16);
    CHECK(most > 10);
    CHECK(std::count(tried.begin(), tried.end(), true) == 60);
    // Later they rest most of the time, but for the first two.
    site.run(150'000);
    int resting = 0;
    for (int step = 0; step < 800; ++step) {
        site.run(250);
        resting += site.trying() == 2 ? 1 : 0;
    }
    CHECK(resting > 400);
}

TEST_CASE("uplink: where only one member reaches the coordinator, it is found") {
    Site site(6);
    const auto last = uplink_ranking("acme/dc-1", site.ids).back();
    for (std::size_t i = 0; i < site.ids.size(); ++i) {
        site.can_reach[i] = site.ids[i] == last;
    }
    site.run(12'000);
    CHECK(site.reaching() == 1);
    CHECK(site.members[site.index_of(last)].reaches_coordinator);
}

TEST_CASE("uplink: who stood in lets go once the best reach it again") {
    Site site(8);
    const auto ranking = uplink_ranking("acme/dc-1", site.ids);
    site.can_reach[site.index_of(ranking[0])] = false;
    site.run(10'000);
    CHECK(site.members[site.index_of(ranking[2])].reaches_coordinator);
    site.can_reach[site.index_of(ranking[0])] = true;
    site.run(30'000);
    CHECK(site.members[site.index_of(ranking[0])].reaches_coordinator);
    CHECK_FALSE(site.holds[site.index_of(ranking[2])]);
    CHECK(site.reaching() == 2);
}

TEST_CASE("uplink: all rank alike, whatever the order of the roster") {
    CHECK(uplink_ranking("s", {"a", "b", "c", "d"}) == uplink_ranking("s", {"d", "b", "a", "c"}));
    Site alone(1);
    alone.run(250);
    CHECK(alone.reaching() == 1);
}
