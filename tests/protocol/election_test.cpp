#include "protocol/election.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "protocol/sha256.hpp"

using namespace clarity;
using election::Decision;
using election::Election;
using election::View;

namespace {

const Digest artifact = sha256("an artifact");
const std::vector<std::string> site{"a", "b", "c", "d"};

std::vector<std::string> others(const std::string& self) {
    auto out = site;
    std::erase(out, self);
    return out;
}
View view_of(const std::string& self) {
    View view;
    view.alive = others(self);
    return view;
}
Election make(const std::string& self) {
    return {election::Settings{}, artifact, self};
}
const std::vector<std::string> order = election::rank(artifact, site);

}  // namespace

TEST_CASE("election: every node ranks the same, and artifacts spread over the servers") {
    auto shuffled = site;
    std::reverse(shuffled.begin(), shuffled.end());
    shuffled.push_back("a");
    CHECK(election::rank(artifact, shuffled) == order);
    std::map<std::string, int> first;
    for (int i = 0; i < 400; ++i) ++first[election::rank(sha256(std::to_string(i)), site)[0]];
    for (const auto& server : site) CHECK(first[server] > 60);
}

TEST_CASE("election: rank r claims after r delays when nobody did") {
    for (std::size_t r = 0; r < site.size(); ++r) {
        auto self = make(order[r]);
        const auto view = view_of(order[r]);
        const auto due = static_cast<std::int64_t>(r) * 2000;
        CAPTURE(r);
        if (r > 0) {
            CHECK(self.step(0, view) == Decision::wait);
            CHECK(self.step(due - 1, view) == Decision::wait);
        }
        CHECK(self.step(due, view) == Decision::fetch);
        CHECK(self.own_rank() == r);
    }
}

TEST_CASE("election: a claim that makes progress keeps the others waiting") {
    auto self = make(order[1]);
    auto view = view_of(order[1]);
    for (std::int64_t now = 0; now < 60000; now += 1000) {
        view.claims[order[0]] = {1, static_cast<std::uint32_t>(now / 5000), 1000};
        REQUIRE(self.step(now, view) == Decision::wait);
    }
}

TEST_CASE("election: a fetcher without progress for ten seconds is passed over") {
    auto self = make(order[1]);
    auto view = view_of(order[1]);
    view.claims[order[0]] = {1, 7, 0};
    CHECK(self.step(0, view) == Decision::wait);
    CHECK(self.step(9999, view) == Decision::wait);
    // Now the first of those that stand: it does not wait for the one that stalls.
    CHECK(self.step(10000, view) == Decision::fetch);
    // When the other moves again there are two: the lower rank stops.
    view.claims[order[0]] = {1, 8, 1000};
    CHECK(self.step(10100, view) == Decision::stop);
    CHECK(self.step(10200, view) == Decision::wait);
}

TEST_CASE("election: a rate that falls to nothing is not progress") {
    auto self = make(order[1]);
    auto view = view_of(order[1]);
    view.claims[order[0]] = {1, 7, 500};
    (void)self.step(0, view);
    view.claims[order[0]] = {1, 7, 0};
    CHECK(self.step(5000, view) == Decision::wait);
    CHECK(self.step(10000, view) == Decision::fetch);
}

TEST_CASE("election: when the fetcher dies the next in rank goes on at once") {
    auto self = make(order[1]);
    auto view = view_of(order[1]);
    view.claims[order[0]] = {1, 7, 1000};
    CHECK(self.step(0, view) == Decision::wait);
    view.claims.clear();
    std::erase(view.alive, order[0]);
    CHECK(self.step(500, view) == Decision::fetch);
}

TEST_CASE("election: after a partition the duplicate of lower rank stops, the other goes on") {
    auto first = make(order[0]);
    auto last = make(order[3]);
    View alone;
    REQUIRE(first.step(0, alone) == Decision::fetch);
    REQUIRE(last.step(0, alone) == Decision::fetch);
    auto healed = view_of(order[0]);
    healed.claims[order[3]] = {1, 5, 1000};
    healed.own_progress = 10;
    CHECK(first.step(1000, healed) == Decision::fetch);
    healed = view_of(order[3]);
    healed.claims[order[0]] = {1, 4, 1000};
    healed.own_progress = 10;
    CHECK(last.step(1000, healed) == Decision::stop);
}

TEST_CASE("election: a node without access passes on, one that loses it stops") {
    auto self = make(order[0]);
    auto view = view_of(order[0]);
    view.able = false;
    CHECK(self.step(0, view) == Decision::wait);
    CHECK(self.step(60000, view) == Decision::wait);
    view.able = true;
    CHECK(self.step(60001, view) == Decision::fetch);
    view.able = false;
    CHECK(self.step(60002, view) == Decision::stop);
}

TEST_CASE("election: nobody fetches what the site holds") {
    auto self = make(order[0]);
    auto view = view_of(order[0]);
    view.needed = false;
    CHECK(self.step(0, view) == Decision::wait);
    view.needed = true;
    CHECK(self.step(1, view) == Decision::fetch);
    view.needed = false;
    CHECK(self.step(2, view) == Decision::stop);
}

TEST_CASE("election: a fetcher that stalls gives others a turn, but not when it is alone") {
    auto self = make(order[0]);
    auto view = view_of(order[0]);
    REQUIRE(self.step(0, view) == Decision::fetch);
    view.own_progress = 1;
    CHECK(self.step(5000, view) == Decision::fetch);
    CHECK(self.step(14999, view) == Decision::fetch);
    CHECK(self.step(15000, view) == Decision::stop);
    CHECK(self.step(20000, view) == Decision::wait);
    CHECK(self.step(25000, view) == Decision::fetch);
    view.alive.clear();
    CHECK(self.step(99000, view) == Decision::fetch);
}

TEST_CASE("election: after an error a node stands back for as long as it was told") {
    auto self = make(order[0]);
    const auto view = view_of(order[0]);
    REQUIRE(self.step(0, view) == Decision::fetch);
    self.stand_back(100, 5000);
    CHECK_FALSE(self.fetching());
    CHECK(self.step(5099, view) == Decision::wait);
    CHECK(self.step(5100, view) == Decision::fetch);
}

TEST_CASE("election: who holds another version goes first, but not more than a few of them") {
    CHECK(election::rank(artifact, site, {order[2]}) ==
          std::vector<std::string>{order[2], order[0], order[1], order[3]});
    CHECK(election::rank(artifact, site, {order[3], order[1]}) ==
          std::vector<std::string>{order[1], order[3], order[0], order[2]});
    CHECK(election::rank(artifact, site, {"nobody of the site"}) == order);
    // Were none of the holders able to fetch, the others would wait for each of them.
    std::vector<std::string> many;
    for (int i = 0; i < 20; ++i) many.push_back("s" + std::to_string(i));
    const auto plain = election::rank(artifact, many);
    const std::set<std::string> bases(plain.begin() + 5, plain.end());
    const auto ranked = election::rank(artifact, many, bases);
    CHECK(std::vector<std::string>(ranked.begin(), ranked.begin() + 3) ==
          std::vector<std::string>(plain.begin() + 5, plain.begin() + 8));
    CHECK(std::vector<std::string>(ranked.begin() + 3, ranked.begin() + 8) ==
          std::vector<std::string>(plain.begin(), plain.begin() + 5));
}

TEST_CASE("election: a fetcher that holds nothing gives way to one that holds another version") {
    auto first = make(order[0]);
    auto base = make(order[2]);
    auto view_first = view_of(order[0]);
    auto view_base = view_of(order[2]);
    CHECK(first.step(0, view_first) == Decision::fetch);
    view_base.bases = {order[2]};
    CHECK(base.step(0, view_base) == Decision::fetch);
    view_first.bases = {order[2]};
    view_first.claims[order[2]] = {1, 1, 1000};
    view_base.claims[order[0]] = {1, 1, 1000};
    CHECK(first.step(100, view_first) == Decision::stop);
    CHECK(base.step(100, view_base) == Decision::fetch);
}

TEST_CASE("election: who passes leaves it to the next at once, without the delay of rank") {
    auto next = make(order[1]);
    auto view = view_of(order[1]);
    CHECK(next.step(0, view) == Decision::wait);
    view.passes[order[0]] = GENERATE(election::Pass::soft, election::Pass::hard);
    CHECK(next.step(1, view) == Decision::fetch);
    CHECK(next.own_rank() == 0);
}

TEST_CASE(
    "election: a fetcher that may not any more stops, one that would rather not if replaced") {
    auto self = make(order[0]);
    auto view = view_of(order[0]);
    REQUIRE(self.step(0, view) == Decision::fetch);
    SECTION("hard") {
        view.passes[order[0]] = election::Pass::hard;
        CHECK(self.step(1, view) == Decision::stop);
        view.alive.clear();
        CHECK(self.step(2, view) == Decision::wait);
    }
    SECTION("soft, and somebody else would do it") {
        view.passes[order[0]] = election::Pass::soft;
        CHECK(self.successor(1, view) == order[1]);
        CHECK(self.step(1, view) == Decision::stop);
        CHECK(self.step(5000, view) == Decision::wait);
    }
    SECTION("soft, like everybody: it goes on, also through a stall") {
        for (const auto& server : order) view.passes[server] = election::Pass::soft;
        view.passes[order[3]] = election::Pass::hard;
        CHECK(self.successor(1, view).empty());
        CHECK(self.step(1, view) == Decision::fetch);
        CHECK(self.step(60000, view) == Decision::fetch);
    }
}

TEST_CASE("election: when all pass softly the ranks hold among them, and nobody waits for ever") {
    auto second = make(order[1]);
    auto view = view_of(order[1]);
    for (const auto& server : order) view.passes[server] = election::Pass::soft;
    CHECK(second.step(0, view) == Decision::wait);
    CHECK(second.step(2000, view) == Decision::fetch);
    auto hard = make(order[0]);
    View forbidden;
    forbidden.passes[order[0]] = election::Pass::hard;
    CHECK(hard.step(0, forbidden) == Decision::wait);
}

TEST_CASE("election: who ends a pass waits for a claim that may be on its way") {
    auto self = make(order[0]);
    auto view = view_of(order[0]);
    view.passes[order[0]] = election::Pass::hard;
    CHECK(self.step(0, view) == Decision::wait);
    view.passes.clear();
    CHECK(self.step(1000, view) == Decision::wait);
    CHECK(self.step(2999, view) == Decision::wait);
    CHECK(self.step(3000, view) == Decision::fetch);
    // Alone there is nobody to wait for.
    auto alone = make("x");
    View forbidden;
    forbidden.passes["x"] = election::Pass::hard;
    CHECK(alone.step(0, forbidden) == Decision::wait);
    CHECK(alone.step(1, View{}) == Decision::fetch);
}

TEST_CASE("election: a fetcher is slow when its successor did eight times better, twice at most") {
    CHECK(election::too_slow(100'000, 1'000'000, 0));
    CHECK_FALSE(election::too_slow(200'000, 1'000'000, 0));
    CHECK_FALSE(election::too_slow(100'000, 1'000'000, 2));
    // Who has measured nothing is not held able to do much.
    CHECK(election::too_slow(10'000, 0, 1));
    CHECK_FALSE(election::too_slow(20'000, 0, 1));
}
