// Goal: a site that starts tells itself everything soon, in few frames.
#include <catch2/catch.hpp>

#include "tests/protocol/mesh/cluster.hpp"

namespace clarity::mesh::test {
namespace {

bool all_know_all(const Cluster& site) {
    return std::all_of(
               site.nodes.begin(), site.nodes.end(),
               [&](const auto& node) { return node->records().size() == site.nodes.size(); }) &&
           site.count(State::alive) == site.nodes.size() * site.nodes.size();
}

}  // namespace

TEST_CASE("mesh start: what a hundred starting members say is gathered into few frames", "[mesh]") {
    constexpr std::size_t size = 100;
    Cluster site(size);
    const auto began = site.now;
    while (!all_know_all(site) && site.now - began < 10'000) site.run_for(10);
    INFO("all know all after " << site.now - began << " ms");
    CHECK(site.now - began < 2500);
    std::uint64_t frames = 0;
    for (const auto& node : site.nodes) frames += node->counters().frames_sent;
    INFO(frames / size << " frames each");
    CHECK(frames / size < 150);
}

TEST_CASE("mesh start: once it is quiet, news go out at once again", "[mesh]") {
    Cluster site(20);
    site.run_for(5000);
    auto& teller = *site.nodes[3];
    teller.set_own_record(site.now, teller.next_version(), "n003: news");
    site.take(3);
    const auto began = site.now;
    const auto here = [&](const auto& node) {
        return node->records().at("n003").bytes == "n003: news";
    };
    while (!std::all_of(site.nodes.begin(), site.nodes.end(), here) && site.now - began < 1000) {
        site.run_for(1);
    }
    CHECK(site.now - began < 60);
}

}  // namespace clarity::mesh::test
