#include <algorithm>
#include <catch2/catch.hpp>

#include "tests/protocol/mesh/cluster.hpp"

namespace clarity::mesh::test {
namespace {

std::vector<std::string> names(std::size_t size) {
    std::vector<std::string> out;
    for (std::size_t i = 0; i < size; ++i) out.push_back(fmt::format("n{:05}", i));
    return out;
}

bool has(const std::vector<std::string>& list, const std::string& id) {
    return std::find(list.begin(), list.end(), id) != list.end();
}

}  // namespace

TEST_CASE("mesh roll: finds everybody, drops repetitions, and is equal for equal sets", "[mesh]") {
    const auto roll = Roll::make({"b", "a", "", "c", "a"});
    REQUIRE(roll->size() == 3);
    CHECK(roll->id(0) == "a");
    for (Index i = 0; i < 3; ++i) {
        CHECK(roll->find(roll->id(i)) == i);
        CHECK(roll->find_key(roll->key(i)) == i);
    }
    CHECK_FALSE(roll->find("d"));
    CHECK_FALSE(Roll::make({})->find("a"));
    CHECK(roll->hash() == Roll::make({"c", "b", "a"})->hash());
    CHECK(roll->hash() != Roll::make({"c", "b"})->hash());
    for (std::size_t ring = 0; ring < ring_count; ++ring) {
        std::set<Index> seen;
        Index i = 0;
        for (int n = 0; n < 3; ++n, i = roll->next(ring, i)) {
            seen.insert(i);
            CHECK(roll->previous(ring, roll->next(ring, i)) == i);
        }
        CHECK(seen.size() == 3);
        CHECK(i == 0);
    }
}

// Goal: whoever is probed by a node probes it too, and the graph stays short and connected.
TEST_CASE("mesh overlay: at most 8 peers, symmetric, and everybody within few hops", "[mesh]") {
    const auto size = static_cast<std::size_t>(GENERATE(2, 5, 9, 64, 1'000));
    CAPTURE(size);
    const auto roll = Roll::make(names(size));
    std::vector<std::vector<std::string>> peers;
    for (Index i = 0; i < size; ++i) {
        Mesh mesh(settings(roll->id(i)), 1);
        mesh.set_members(1, roll);
        peers.push_back(mesh.active_peers());
        CHECK(peers.back().size() <= 2 * ring_count);
        CHECK(peers.back().size() >= std::min<std::size_t>(size - 1, ring_count));
    }
    for (Index i = 0; i < size; ++i) {
        for (const auto& peer : peers[i]) CHECK(has(peers[*roll->find(peer)], roll->id(i)));
    }
    std::vector<int> hops(size, -1);
    std::vector<Index> reached{0};
    hops[0] = 0;
    for (std::size_t at = 0; at < reached.size(); ++at) {
        for (const auto& peer : peers[reached[at]]) {
            const auto i = *roll->find(peer);
            if (hops[i] >= 0) continue;
            hops[i] = hops[reached[at]] + 1;
            reached.push_back(i);
        }
    }
    CHECK(reached.size() == size);
    CHECK(*std::max_element(hops.begin(), hops.end()) <= 6);
}

TEST_CASE("mesh overlay: the dead are skipped, who does not answer is bypassed", "[mesh]") {
    const auto roll = Roll::make(names(64));
    Mesh mesh(settings(roll->id(7)), 1);
    std::int64_t now = 1'000;
    mesh.set_members(now, roll);
    const auto next = roll->id(roll->next(0, 7));
    const auto after = roll->id(roll->next(0, roll->next(0, 7)));
    CHECK(has(mesh.active_peers(), next));
    const auto run = [&](std::int64_t until, bool all_but_next_answer) {
        for (; now < until; now += 10) {
            if (all_but_next_answer && now % 500 == 0) {
                for (Index i = 0; i < 64; ++i) {
                    if (i == 7 || roll->id(i) == next) continue;
                    mesh.receive(now, roll->id(i), encode_frame(frame(FrameType::gossip)));
                }
            }
            mesh.on_time(now);
            for (const auto& send : only<Send>(mesh.take_effects())) {
                Frame asked;
                REQUIRE(decode_frame(send.frame, asked) == FrameFault::none);
                if (!all_but_next_answer || send.to == next) continue;
                auto answer =
                    frame(asked.type == FrameType::ping ? FrameType::ack : FrameType::nack);
                answer.sequence = asked.sequence;
                mesh.receive(now, send.to, encode_frame(answer));
            }
        }
    };
    SECTION("never heard of: both after a second, only the other after three") {
        run(2'200, true);
        CHECK(has(mesh.active_peers(), next));
        CHECK(has(mesh.active_peers(), after));
        run(5'000, true);
        CHECK_FALSE(has(mesh.active_peers(), next));
        CHECK(has(mesh.active_peers(), after));
        mesh.receive(now, next, encode_frame(frame(FrameType::gossip)));
        CHECK(has(mesh.active_peers(), next));
    }
    SECTION("nobody answers: more are tried, but never many at once") {
        std::set<std::string> tried;
        for (int second = 0; second < 20; ++second) {
            run(now + 1'000, false);
            const auto list = mesh.active_peers();
            tried.insert(list.begin(), list.end());
            CHECK(list.size() <= 56);
        }
        CHECK(tried.size() > 50);
    }
    SECTION("dead") {
        mesh.receive(now, next, encode_frame(frame(FrameType::gossip)));
        run(30'000, true);
        CHECK(mesh.state_of(next) == State::dead);
        CHECK_FALSE(has(mesh.active_peers(), next));
        CHECK(has(mesh.active_peers(), after));
    }
}

TEST_CASE("mesh overlay: a kill is noticed by all within six seconds, without any hint", "[mesh]") {
    const auto size = static_cast<std::size_t>(GENERATE(2, 3, 5, 24, 60));
    CAPTURE(size);
    Cluster site(size);
    site.run_for(5'000);
    REQUIRE(site.count(State::alive) == size * size);
    site.nodes[1].reset();
    site.run_for(6'000);
    CHECK(site.count(State::dead) == size - 1);
    CHECK(site.told.size() == size - 1);  // and nobody else was, even for a moment
}

}  // namespace clarity::mesh::test
