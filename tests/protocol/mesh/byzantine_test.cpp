// One member lies. Nobody that is healthy and connected may be taken for dead or gone, by anybody,
// even for a moment; and a real death must still be noticed.
#include <catch2/catch.hpp>

#include "tests/protocol/mesh/cluster.hpp"

namespace clarity::mesh::test {
namespace {

constexpr Index liar = 3;

/// What the liar's frames carry: claims about everybody, at the incarnations in force.
std::vector<Update> claims(const Cluster& site, State state, std::uint64_t above, Index accuser) {
    std::vector<Update> out;
    for (Index i = 0; i < site.nodes.size(); ++i) {
        if (i == liar || !site.nodes[i]) continue;
        out.push_back({site.roll->key(i), state, site.nodes[i]->incarnation() + above,
                       state == State::suspect ? site.roll->key(accuser) : 0});
    }
    return out;
}

void tell_everybody(Cluster& site, const std::vector<Update>& updates) {
    for (Index to = 0; to < site.nodes.size(); ++to) {
        if (to == liar || !site.nodes[to]) continue;
        Frame f;
        f.incarnation = site.nodes[liar]->incarnation();
        f.updates = updates;
        site.send(liar, to, std::move(f));
    }
}

}  // namespace

TEST_CASE("mesh byzantine: accusations without end, under every name, bury nobody",
          "[mesh][hostile]") {
    const auto state = GENERATE(State::suspect, State::dead, State::left);
    const auto above = static_cast<std::uint64_t>(GENERATE(0, 1, 1'000, 1 << 20));
    const auto size = static_cast<std::size_t>(GENERATE(5, 24));
    CAPTURE(static_cast<int>(state), above, size);
    Cluster site(size);
    site.run_for(3'000);
    const auto names = static_cast<std::int64_t>(size);
    site.run_for(12'000, [&] {
        if (site.now % 50 == 0) {
            const auto accuser = static_cast<Index>(site.now / 50 % names);
            tell_everybody(site, claims(site, state, above, accuser));
        }
    });
    CHECK(site.told.empty());
    site.run_for(3'000);
    CHECK(site.told.empty());
    CHECK(site.count(State::alive) == size * size);
    // What it costs is bounded by the victims' pace, not by the liar's.
    CHECK(site.total().refutations <= 30 * size);
    CHECK(site.total().refutations > 0);
}

TEST_CASE("mesh byzantine: one victim is accused by a liar that tells each node another story",
          "[mesh][hostile]") {
    Cluster site(16);
    site.run_for(3'000);
    site.run_for(15'000, [&] {
        if (site.now % 20 != 0) return;
        for (Index to = 0; to < 16; ++to) {
            if (to == liar || to == 0) continue;  // the victim itself is told nothing
            Frame f;
            f.incarnation = site.nodes[liar]->incarnation();
            for (Index accuser = 4; accuser < 8; ++accuser) {
                f.updates.push_back({site.roll->key(0), State::suspect,
                                     site.nodes[0]->incarnation() + to % 3,
                                     site.roll->key(accuser)});
            }
            site.send(liar, to, std::move(f));
        }
    });
    CHECK(site.told.empty());
}

TEST_CASE("mesh byzantine: no claim takes a member's room to refute", "[mesh][hostile]") {
    Cluster site(8);
    site.run_for(3'000);
    const auto before = site.nodes[0]->incarnation();
    site.run_for(10'000, [&] {
        if (site.now % 10 != 0) return;
        std::vector<Update> updates;
        for (const auto state : {State::alive, State::suspect}) {
            for (const std::uint64_t jump : {1ULL << 19U, 1ULL << 20U, 1ULL << 40U, 1ULL << 52U}) {
                updates.push_back({site.roll->key(0), state, site.nodes[0]->incarnation() + jump,
                                   site.roll->key(5)});
            }
        }
        tell_everybody(site, updates);
    });
    CHECK(site.told.empty());
    CHECK(site.total().claims_doubted > 0);
    // 2^53 is a century away at this rate.
    const auto rise_per_s = (site.nodes[0]->incarnation() - before) / 10;
    CHECK(rise_per_s < (std::uint64_t{1} << 22U));
    site.run_for(5'000);
    CHECK(site.count(State::alive) == 64);
}

TEST_CASE("mesh byzantine: a newcomer is not told into burying somebody", "[mesh][hostile]") {
    Cluster site(8);
    site.run_for(3'000);
    // It has heard of nobody but the liar, who claims an absurd incarnation of one it will meet.
    site.nodes[0] = std::make_unique<Mesh>(settings(site.roll->id(0)), 9);
    site.nodes[0]->set_members(site.now, site.roll);
    const auto above = GENERATE(std::uint64_t{0}, std::uint64_t{1} << 20U, std::uint64_t{1} << 50U);
    CAPTURE(above);
    Frame f;
    f.incarnation = site.nodes[liar]->incarnation();
    for (Index accuser = 4; accuser < 8; ++accuser) {
        f.updates.push_back(
            {site.roll->key(1), State::suspect, 1 + above, site.roll->key(accuser)});
    }
    site.nodes[0]->receive(site.now, site.roll->id(liar), [&] {
        f.site = site_hash(site_name);
        return encode_frame(f);
    }());
    site.take(0);
    site.run_for(10'000);
    CHECK(site.told.empty());
    CHECK(site.count(State::alive) == 64);
}

TEST_CASE("mesh byzantine: false evidence of life does not keep the dead alive",
          "[mesh][hostile]") {
    Cluster site(16);
    site.run_for(3'000);
    site.nodes[0].reset();
    const auto crashed = site.now;
    site.run_for(6'500, [&] {
        if (site.now % 20 != 0) return;
        for (Index to = 1; to < 16; ++to) {
            if (to == liar) continue;
            auto f = frame(FrameType::gossip, site.nodes[liar]->incarnation());
            f.heard = {{site.roll->key(0), 0, site.roll->key(liar)}};
            site.send(liar, to, std::move(f));
        }
    });
    CAPTURE(crashed);
    CHECK(site.count(State::dead) >= 14);  // the liar may hold what it likes
}

}  // namespace clarity::mesh::test
