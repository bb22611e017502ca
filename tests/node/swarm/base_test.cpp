#include "node/swarm/base_choice.hpp"

#include <catch2/catch.hpp>
#include <iostream>

#include "storage/files.hpp"
#include "versions.hpp"

using namespace clarity;
using std::chrono::seconds;

namespace {

/// Only the last node may use the origin.
void cut_off_all_but_last(Site& site) {
    for (std::size_t i = 0; i + 1 < site.nodes.size(); ++i) {
        site.nodes[i]->swarm->set_repositories({});
    }
}

bool holds(const Node& node, const Digest& sha256) {
    const auto all = node.swarm->holdings();
    return std::any_of(all.begin(), all.end(),
                       [&](const auto& each) { return each.sha256 == sha256; });
}

void small_bases(SwarmSettings& settings) {
    settings.base_spares_min_bytes = 64U << 10;
}

void restart_last(Site& site, const std::function<void(SwarmSettings&)>& change) {
    site.stop(*site.nodes.back());
    site.start(*site.nodes.back(), change);
}

}  // namespace

TEST_CASE("base: a fetcher that holds no version gets one over the LAN first, and pulls the rest") {
    const bool zstd = GENERATE(false, true);
    CAPTURE(zstd);
    TempFolder folder;
    Origin origin(folder.path);
    Site site(3);
    const auto one = publish(site, origin, image(12U << 20, 1), "1", zstd);
    const auto two = publish(site, origin, upgrade(one.bytes), "2", zstd, &one.manifest);
    seed_with(site, one, {0, 1});
    site.manifests = {one.manifest, two.manifest};
    cut_off_all_but_last(site);
    const auto before = origin.body_bytes();

    want(site, two.manifest);
    check_all(site, two);
    Node& last = *site.nodes[2];
    const auto sent = Site::holding(last, two.manifest.sha256).wan_bytes;
    std::cout << "base: upgrade of " << two.bytes.size() << " bytes pulled " << sent << "\n";
    CHECK(sent == site.wan_bytes(two.manifest.sha256));
    CHECK(sent == expected(two, one));
    CHECK(sent < two.bytes.size() / 12);
    REQUIRE(site.run_until([&] { return origin.body_bytes() - before >= sent; }));
    CHECK(origin.body_bytes() - before == sent);
    // The base came from peers, and is offered; it goes first when the cache wants room.
    const auto base = Site::holding(last, one.manifest.sha256);
    CHECK(base.complete);
    CHECK(base.wan_bytes == 0);
    CHECK(base.lan_bytes >= one.bytes.size());
    CHECK(last.cache->describe(one.manifest.sha256)->last_used_unix_s == 0);
    CHECK(last.swarm->fetch_totals().borrowed == 1);
    CHECK(last.swarm->fetch_totals().delta_fetches == 1);
    CHECK(last.swarm->fetch_totals().local_bytes > two.bytes.size() * 9 / 10);
}

TEST_CASE("base: none where it would not pay, or its manifest is not at hand") {
    TempFolder folder;
    Origin origin(folder.path);
    Site site(2);
    const auto one = publish(site, origin, image(8U << 20, 1), "1", false);
    auto next = upgrade(one.bytes);
    SECTION("nothing of it is in the next") {
        next = image(8U << 20, 2);
        site.manifests = {one.manifest};
    }
    SECTION("the manifest was let go") {}
    const auto two = publish(site, origin, next, "2", false);
    seed_with(site, one, {0});
    cut_off_all_but_last(site);
    want(site, two.manifest);
    check_all(site, two);
    CHECK(site.wan_bytes(two.manifest.sha256) == two.bytes.size());
    CHECK_FALSE(holds(*site.nodes[1], one.manifest.sha256));
    CHECK(site.nodes[1]->swarm->fetch_totals().borrowed == 0);
}

TEST_CASE("base: a version that does not come is given up, and the pull goes on without it") {
    TempFolder folder;
    Origin origin(folder.path);
    Site site(2);
    const auto one = publish(site, origin, image(2U << 20, 1), "1", false);
    const auto two = publish(site, origin, upgrade(one.bytes), "2", false);
    site.manifests = {one.manifest};
    restart_last(site, [](SwarmSettings& settings) {
        small_bases(settings);
        settings.base_patience_ms = 1500;
    });
    cut_off_all_but_last(site);
    // Says that it holds all of it; nobody is there.
    ServerClaims claims;
    claims.alive = true;
    Holding holding;
    holding.sha256 = one.manifest.sha256;
    holding.artifact = one.manifest.artifact;
    holding.version = one.manifest.version;
    holding.complete = true;
    claims.holdings = {holding};
    site.add_peer({"server-9", "server-9", "127.0.0.1:9", true}, claims);
    want(site, two.manifest);
    Node& last = *site.nodes.back();
    REQUIRE(site.run_until([&] { return holds(last, one.manifest.sha256); }));
    CHECK(site.wan_bytes(two.manifest.sha256) == 0);
    CHECK(site.fetcher(two.manifest.sha256) == &last);  // claimed, so that nobody else begins
    check_all(site, two);
    CHECK(site.wan_bytes(two.manifest.sha256) == two.bytes.size());
    CHECK_FALSE(holds(last, one.manifest.sha256));
    REQUIRE(site.run_until([&] { return !last.cache->describe(one.manifest.sha256); }));
}

TEST_CASE("base: wanted by a plan meanwhile, it stays") {
    TempFolder folder;
    Origin origin(folder.path);
    Site site(2);
    const auto one = publish(site, origin, image(8U << 20, 1), "1", false);
    const auto two = publish(site, origin, upgrade(one.bytes), "2", false);
    seed_with(site, one, {0});
    site.manifests = {one.manifest};
    restart_last(site, [](SwarmSettings& settings) { settings.download_limit_bytes_s = 2U << 20; });
    cut_off_all_but_last(site);
    site.nodes[1]->swarm->want(two.manifest, "test");
    Node& last = *site.nodes.back();
    REQUIRE(site.run_until([&] { return holds(last, one.manifest.sha256); }));
    last.swarm->want(one.manifest, "rollback");
    REQUIRE(site.run_until([&] { return last.complete.contains(two.manifest.sha256); }));
    REQUIRE(site.run_until([&] { return last.complete.contains(one.manifest.sha256); }));
    CHECK(last.cache->describe(one.manifest.sha256)->last_used_unix_s > 0);
    CHECK(site.wan_bytes(two.manifest.sha256) == expected(two, one));
}

TEST_CASE("base: the version that spares the most is chosen, if any spares enough") {
    TempFolder folder;
    Origin origin(folder.path);
    Site site(1);
    const auto one = publish(site, origin, image(4U << 20, 1), "1", false);
    const auto two = publish(site, origin, upgrade(one.bytes), "2", false);
    const auto far =
        publish(site, origin, one.bytes.substr(0, 1U << 20) + noise(3U << 20, 55), "0", false);
    const auto other = publish(site, origin, image(4U << 20, 3), "x", false);
    const auto shared = [](const Version& version) {
        return std::make_shared<const Manifest>(version.manifest);
    };
    const auto none = [](const ChunkHash&) { return false; };
    const std::vector<std::shared_ptr<const Manifest>> all{shared(far), shared(other), shared(one)};
    const auto all_of_it = two.manifest.size_bytes;
    const swarm::BaseTerms terms{all_of_it, 64U << 10};
    const auto choice = swarm::choose_base(two.manifest, all, none, terms);
    REQUIRE(choice);
    CHECK(choice->base->version == "1");
    CHECK(choice->spared_bytes == two.bytes.size() - expected(two, one));
    CHECK_FALSE(swarm::choose_base(two.manifest, all, none, {all_of_it, 64U << 20}));
    CHECK_FALSE(swarm::choose_base(two.manifest, {shared(other)}, none, terms));
    // The site has nearly all of it: not worth 4 MiB over the LAN.
    CHECK_FALSE(swarm::choose_base(two.manifest, all, none, {60U << 10, 0}));
    CHECK(swarm::choose_base(two.manifest, all, none, {128U << 10, 0})->spared_bytes == 128U << 10);
    // What is here already is spared anyway.
    const auto everything = [](const ChunkHash&) { return true; };
    CHECK_FALSE(swarm::choose_base(two.manifest, all, everything, {all_of_it, 0}));
    // A version whose chunk list does not add up.
    auto wrong = one.manifest;
    wrong.size_bytes = 80 * one.bytes.size();
    CHECK_FALSE(
        swarm::choose_base(two.manifest, {std::make_shared<const Manifest>(wrong)}, none, terms));
    auto blind = two.manifest;
    blind.chunks.clear();
    CHECK_FALSE(swarm::choose_base(blind, all, none, {all_of_it, 0}));
}
