#include "protocol/artifact_peers.hpp"

#include <catch2/catch.hpp>

#include "protocol/artifact_marks.hpp"
#include "protocol/cache_order.hpp"

using namespace clarity;

namespace {

ServerView server(const char* name, const char* state) {
    ServerView out;
    out.member.hostname = name;
    out.member.server_id = name;
    out.state = state;
    out.age_ms = 400;
    out.record = Record{};
    return out;
}

Digest digest(unsigned char number) {
    Digest out;
    out.data.fill(number);
    return out;
}

}  // namespace

TEST_CASE("artifact peers: shares, pins, the fetcher, and copies at living servers only") {
    SiteView view;
    view.site = "acme/dc-1";
    auto whole = server("a", "alive");
    whole.record->kept = {artifact_mark(digest(1))};
    auto part = server("b", "alive");
    Holding holding;
    holding.sha256 = digest(1);
    holding.artifact = "app";
    holding.version = "1";
    holding.pieces = 4;
    holding.pieces_have = 1;
    part.record->holdings = {holding};
    part.record->claims = {{digest(1), 0, 1, 500}};
    auto away = server("c", "dead");
    away.record->kept = {artifact_mark(digest(1))};
    away.record->pinned = {artifact_mark(digest(1))};
    view.servers = {whole, part, away, server("d", "alive")};

    const auto json = artifact_peers_json(view, "app", {});
    REQUIRE(json.at("artifacts").size() == 1);
    const auto& found = json.at("artifacts")[0];
    CHECK(found.at("copies") == 1);
    CHECK(found.at("fetcher") == "b");
    REQUIRE(found.at("peers").size() == 3);  // d has nothing to do with it
    CHECK(found.at("peers")[0].at("complete") == true);
    CHECK(found.at("peers")[1].at("share") == 0.25);
    CHECK(found.at("peers")[1].at("rate_bytes_s") == 500);
    CHECK(found.at("peers")[2].at("pinned") == true);

    CHECK(artifact_peers_json(view, "app@2", {}).at("artifacts").empty());
    const std::vector<KnownArtifact> known{{"app", "2", digest(2), 9}};
    const auto named = artifact_peers_json(view, "app@2", known);
    REQUIRE(named.at("artifacts").size() == 1);  // known, but nobody has it
    CHECK(named.at("artifacts")[0].at("copies") == 0);
    CHECK(artifact_peers_json(view, "app", known).at("artifacts").size() == 1);
}

TEST_CASE("cache order: what is no order is refused, unknown actions are none") {
    CHECK_FALSE(CacheOrder::decode("[]"));
    CHECK_FALSE(CacheOrder::decode(R"({"artifact":"a","version":"1","sha256":"00"})"));
    CHECK_FALSE(
        CacheOrder::decode(R"({"artifact":"a","version":"1","manifest":"zz","candidates":[]})"));
    const auto gc = CacheOrder::decode(R"({"artifact":"","version":"","dry_run":true})");
    REQUIRE(gc);
    CHECK(gc->dry_run);
    CHECK(gc->sha256.is_zero());
    CHECK(cache_order::is_action("artifact-gc"));
    CHECK_FALSE(cache_order::is_action("restart"));
}
