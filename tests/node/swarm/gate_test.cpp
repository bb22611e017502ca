// The gate alone: a site of peers that exchange pieces among themselves, on virtual time.
#include "node/swarm/gate.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <optional>
#include <set>

namespace {

using clarity::swarm::Gate;
using clarity::swarm::GateSettings;

constexpr std::uint32_t piece_bytes = 128U << 10;

/// A source and its peers. The source's uplink carries one piece a step; a step later everybody has
/// what somebody had, as a swarm among peers would do it.
struct Site {
    Gate gate;
    std::map<Gate::Peer, std::set<std::uint32_t>> has;
    std::map<Gate::Peer, std::int64_t> frozen;  ///< takes offers, never confirms
    std::deque<Gate::Offer> uplink;
    std::size_t uploads = 0;
    std::size_t most_under_way = 0;
    std::int64_t now_ms = 1000;

    explicit Site(std::uint32_t pieces, std::size_t peers, std::uint64_t seed = 0)
        : gate(pieces, piece_bytes, seed) {
        for (Gate::Peer peer = 0; peer < peers; ++peer) join(peer);
    }
    void join(Gate::Peer peer) {
        has[peer];
        gate.add_peer(peer, now_ms);
    }
    void leave(Gate::Peer peer) {
        has.erase(peer);
        std::erase_if(uplink, [&](const auto& each) { return each.peer == peer; });
        gate.remove_peer(peer);
    }
    void learn(Gate::Peer peer, std::uint32_t piece) {
        if (has[peer].insert(piece).second) gate.peer_has(peer, piece, now_ms);
    }
    void step(bool exchange = true) {
        now_ms += 10;
        if (now_ms % 1000 == 0) gate.on_time(now_ms);
        for (const auto& offer : gate.take_offers(now_ms)) uplink.push_back(offer);
        most_under_way = std::max(most_under_way, uplink.size());
        std::set<std::uint32_t> everywhere;
        for (const auto& [peer, pieces] : has) {
            if (!frozen.contains(peer)) everywhere.insert(pieces.begin(), pieces.end());
        }
        std::optional<Gate::Offer> sent;
        while (!uplink.empty() && !sent) {
            if (!frozen.contains(uplink.front().peer)) sent = uplink.front();
            uplink.pop_front();
        }
        if (sent) {
            ++uploads;
            learn(sent->peer, sent->piece);
        }
        if (!exchange) return;
        for (auto& [peer, pieces] : has) {
            if (frozen.contains(peer)) continue;
            for (const auto piece : everywhere) learn(peer, piece);
        }
    }
    [[nodiscard]] bool done(std::size_t pieces) const {
        for (const auto& [peer, own] : has) {
            if (!frozen.contains(peer) && own.size() < pieces) return false;
        }
        return true;
    }
    bool run(std::size_t pieces, int steps) {
        while (!done(pieces) && steps-- > 0) step();
        return done(pieces);
    }
};

}  // namespace

TEST_CASE("gate: the only holder uploads each piece once", "[swarm][gate]") {
    Site site(2048, 15);
    site.gate.own(std::vector<bool>(2048, true));
    REQUIRE(site.run(2048, 2200));
    CHECK(site.uploads == 2048);
    CHECK(site.gate.spread());
}

TEST_CASE("gate: no more than the window is under way", "[swarm][gate]") {
    Site site(512, 15);
    site.gate.own(std::vector<bool>(512, true));
    CHECK(site.gate.take_offers(site.now_ms).size() == 15 * 4);  // 7.5 MB of 128 KiB pieces
    CHECK(site.gate.take_offers(site.now_ms).empty());
    Site three(512, 3);
    three.gate.own(std::vector<bool>(512, true));
    CHECK(three.gate.take_offers(three.now_ms).size() == 3 * 19);
}

TEST_CASE("gate: what arrives bit by bit is handed on as it comes", "[swarm][gate]") {
    Site site(64, 5);
    for (std::uint32_t piece = 0; piece < 64; ++piece) {
        site.gate.own(piece);
        site.step();
        site.step();
        CHECK(site.has[0].size() + 1 >= piece);  // at everybody a step later
    }
    REQUIRE(site.run(64, 10));
    CHECK(site.uploads == 64);
}

TEST_CASE("gate: a peer that goes takes nothing with it", "[swarm][gate]") {
    Site site(256, 4);
    site.gate.own(std::vector<bool>(256, true));
    for (int n = 0; n < 20; ++n) site.step(false);  // what it has got nobody else has
    site.leave(2);
    REQUIRE(site.run(256, 400));
    CHECK(site.uploads <= 256 + 6);
}

TEST_CASE("gate: a frozen peer is passed over, and served again when it wakes", "[swarm][gate]") {
    Site site(512, 4);
    site.gate.own(std::vector<bool>(512, true));
    site.frozen[1] = site.now_ms;
    REQUIRE(site.run(512, 2000));
    site.frozen.clear();
    REQUIRE(site.run(512, 100));
    CHECK(site.uploads <= 512 + 20);
}

TEST_CASE("gate: a piece that one peer alone holds is given to one more", "[swarm][gate]") {
    Site site(8, 3);
    site.gate.own(std::vector<bool>(8, true));
    for (int n = 0; n < 8; ++n) site.step(false);
    CHECK(site.uploads == 8);
    CHECK_FALSE(site.gate.spread());
    for (int n = 0; n < 300 && !site.gate.spread(); ++n) site.step(false);
    CHECK(site.gate.spread());
    CHECK(site.uploads == 16);
}

TEST_CASE("gate: pieces that peers hold already are not handed out", "[swarm][gate]") {
    Site site(100, 2);
    for (std::uint32_t piece = 0; piece < 90; ++piece) site.learn(0, piece), site.learn(1, piece);
    site.gate.own(std::vector<bool>(100, true));
    REQUIRE(site.run(100, 100));
    CHECK(site.uploads == 10);
}

// Once, servers that had the same half of an artifact before a restart got no more of it: the half
// stood in the queue before all that came in later.
TEST_CASE("gate: what everybody came with does not stand before what they lack", "[swarm][gate]") {
    Site site(500, 2);
    std::vector<bool> half(500, false);
    std::fill_n(half.begin(), 300, true);
    site.gate.own(half);
    for (std::uint32_t piece = 0; piece < 300; ++piece) site.learn(0, piece), site.learn(1, piece);
    for (std::uint32_t piece = 300; piece < 500; ++piece) site.gate.own(piece);
    REQUIRE(site.run(500, 500));
    CHECK(site.uploads == 200);
}

TEST_CASE("gate: two holders of all hand out different halves first", "[swarm][gate]") {
    Gate first(1000, piece_bytes, 0);
    Gate second(1000, piece_bytes, 500);
    std::set<std::uint32_t> seen;
    for (auto* gate : {&first, &second}) {
        gate->own(std::vector<bool>(1000, true));
        gate->add_peer(1, 0);
        for (const auto& offer : gate->take_offers(0)) CHECK(seen.insert(offer.piece).second);
    }
    CHECK(seen.size() > 50);
}

TEST_CASE("gate: numbers from the network cannot harm it", "[swarm][gate]") {
    Gate gate(10, piece_bytes, 3);
    gate.add_peer(1, 0);
    gate.peer_has(1, 10, 0);
    gate.peer_has(1, 4'000'000'000U, 0);
    gate.peer_has(7, 1, 0);
    gate.peer_has(1, 1, 0);
    gate.peer_has(1, 1, 0);  // twice
    gate.own(99);
    gate.own(1);
    CHECK(gate.take_offers(1).empty());
    gate.remove_peer(1);
    gate.remove_peer(1);
    CHECK(gate.peers() == 0);
}
