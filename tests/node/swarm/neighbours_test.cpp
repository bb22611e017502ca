#include "node/swarm/neighbours.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "protocol/sha256.hpp"

namespace {

using clarity::swarm::Neighbour;
using clarity::swarm::neighbours_of;
using clarity::swarm::Participant;

const auto artifact = clarity::sha256("artifact");

std::string name(std::size_t i) {
    return fmt::format("server-{:03}", i);
}

std::vector<Participant> site(std::size_t nodes, std::set<std::size_t> complete = {}) {
    std::vector<Participant> out;
    for (std::size_t i = 0; i < nodes; ++i) out.push_back({name(i), complete.contains(i), false});
    return out;
}

/// As server `i` sees it: everybody but itself.
std::vector<Neighbour> seen_by(std::size_t i, std::vector<Participant> all) {
    std::erase_if(all, [&](const auto& each) { return each.server_id == name(i); });
    return neighbours_of(artifact, name(i), all);
}

}  // namespace

TEST_CASE("neighbours: a small site is a full mesh, each pair dialled from one end", "[swarm]") {
    std::set<std::pair<std::string, std::string>> dialled;
    for (std::size_t i = 0; i < 4; ++i) {
        const auto list = seen_by(i, site(4));
        CHECK(list.size() == 3);
        for (const auto& each : list) {
            if (each.dial) dialled.emplace(name(i), each.server_id);
        }
    }
    CHECK(dialled.size() == 6);
}

TEST_CASE("neighbours: a large site is a sparse graph, symmetric and connected", "[swarm]") {
    const auto nodes = GENERATE(std::size_t{10}, std::size_t{15}, std::size_t{100});
    std::map<std::string, std::set<std::string>> links;
    std::size_t few = 0;
    for (std::size_t i = 0; i < nodes; ++i) {
        for (const auto& each : seen_by(i, site(nodes))) links[name(i)].insert(each.server_id);
        CHECK(links[name(i)].size() <= 6);
        CHECK(links[name(i)].size() >= 4);
        if (links[name(i)].size() < 6) ++few;
    }
    CHECK(few <= 3);  // where a ring closes
    for (const auto& [from, list] : links) {
        for (const auto& to : list) CHECK(links[to].contains(from));
    }
    std::set<std::string> reached{name(0)};
    std::vector<std::string> walk{name(0)};
    while (!walk.empty()) {
        const auto at = walk.back();
        walk.pop_back();
        for (const auto& to : links[at]) {
            if (reached.insert(to).second) walk.push_back(to);
        }
    }
    CHECK(reached.size() == nodes);
}

TEST_CASE("neighbours: everybody turns to the only holder, which dials nobody", "[swarm]") {
    const auto all = site(30, {17});
    for (std::size_t i = 0; i < 30; ++i) {
        if (i == 17) continue;
        const auto list = seen_by(i, all);
        CHECK(std::any_of(list.begin(), list.end(), [](const auto& each) {
            return each.server_id == name(17) && each.dial;
        }));
        CHECK(list.size() >= 6);  // beside the holder five at least that lack pieces too
    }
}

TEST_CASE("neighbours: everybody turns to who fetches", "[swarm]") {
    auto all = site(30);
    all[3].fetching = true;
    for (std::size_t i = 0; i < 30; ++i) {
        if (i == 3) continue;
        const auto list = seen_by(i, all);
        CHECK(std::any_of(list.begin(), list.end(),
                          [](const auto& each) { return each.server_id == name(3); }));
    }
}
