#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "node/swarm/counters.hpp"
#include "node/swarm/fetch_plan.hpp"
#include "node/swarm/fetch_types.hpp"
#include "node/swarm/rate_limiter.hpp"
#include "node/swarm/torrent.hpp"
#include "protocol/merkle.hpp"
#include "protocol/sha256.hpp"
#include "site.hpp"

using namespace clarity;
using namespace clarity::swarm;

namespace {

Manifest manifest_of(const std::string& bytes, std::uint32_t piece_size_bytes) {
    Manifest out;
    out.artifact = "thing";
    out.version = "1.0.0";
    out.sha256 = sha256(bytes);
    out.size_bytes = bytes.size();
    out.piece_size_bytes = piece_size_bytes;
    const bool only = bytes.size() <= piece_size_bytes;
    for (std::size_t at = 0; at < bytes.size(); at += piece_size_bytes) {
        const auto piece = std::string_view(bytes).substr(at, piece_size_bytes);
        out.piece_layer += merkle_piece_root(piece, piece_size_bytes, only).bytes();
    }
    return out;
}

}  // namespace

TEST_CASE("torrent: the same manifest and CA give the same infohash, another CA another") {
    const auto manifest = manifest_of(noise(300000, 1), 65536);
    auto described = manifest;
    described.description = "what is not in the bytes does not matter";
    described.sources = {{"elsewhere", "x"}};
    const auto one = make_torrent(manifest, "CA PEM").value();
    CHECK(make_torrent(described, "CA PEM").value().info_hash == one.info_hash);
    CHECK(make_torrent(manifest, "other PEM").value().info_hash != one.info_hash);
    CHECK(one.name == manifest.sha256.hex());
    CHECK(one.bytes.find("ssl-cert6:CA PEM") != std::string::npos);
}

TEST_CASE("torrent: without a CA or without bytes there is none") {
    CHECK_FALSE(make_torrent(manifest_of("abc", 16384), ""));
    CHECK_FALSE(make_torrent(Manifest{}, "CA PEM"));
}

TEST_CASE("fetch plan: asks only for what nobody has, in the longest runs, in order") {
    const std::vector<bool> own{true, false, false, false, false, true, false, false};
    const std::vector<bool> none(8, false);
    CHECK(next_run(own, none, {}, {}) == PieceRun{1, 5});
    CHECK(next_run(own, none, {1, 2}, {}) == PieceRun{3, 5});
    CHECK(next_run(own, none, {}, {1}) == PieceRun{2, 5});
    std::vector<bool> held(8, false);
    held[3] = true;
    CHECK(next_run(own, held, {}, {}) == PieceRun{1, 3});
    CHECK(next_run(own, held, {1, 2}, {}) == PieceRun{4, 5});
    CHECK(next_run(own, std::vector<bool>(8, true), {}, {}) == std::nullopt);
    CHECK(next_run({}, {}, {}, {}) == std::nullopt);
}

TEST_CASE("fetch plan: a server that ignores ranges is read once, whatever is there already") {
    const std::vector<bool> own{true, false, true, true, false, true};
    const std::vector<bool> none(6, false);
    CHECK(next_run(own, none, {}, {}) == PieceRun{1, 2});
    CHECK(whole_run(own, none, {}, {}) == PieceRun{1, 5});
    CHECK(whole_run(own, none, {4}, {}) == PieceRun{1, 2});
    CHECK(whole_run(std::vector<bool>(6, true), none, {}, {}) == std::nullopt);
}

TEST_CASE("rate limiter: what is left of a budget is used up to the byte, and renewed") {
    RateLimiter limiter(0);
    CHECK_FALSE(limiter.used_up());
    limiter.set_left(1000);
    CHECK(limiter.take_us(999, 0) == 0);
    CHECK_FALSE(limiter.used_up());
    CHECK(limiter.take_us(500, 0) == 0);
    CHECK(limiter.used_up());
    limiter.set_left(std::nullopt);
    CHECK_FALSE(limiter.used_up());
    limiter.set_left(0);
    CHECK(limiter.used_up());
}

TEST_CASE("fetch counters: every byte has one reason") {
    FetchCounters counters;
    counters.wan_bytes = 1000;
    counters.came(400);  // a first pull: what is left when the others are taken away
    CHECK(counters.resumed_bytes == 0);
    counters.resuming = true;
    counters.came(300);
    counters.spare(100);
    counters.wrong(50);
    CHECK(counters.resumed_bytes == 300);
    counters.was_spare(200);  // a rival had pulled that too
    CHECK(counters.resumed_bytes == 100);
    CHECK(counters.duplicate_bytes == 300);
    CHECK(counters.repaired_bytes == 50);
    counters.was_whole = true;
    counters.came(70);
    CHECK(counters.repaired_bytes == 120);
}

TEST_CASE("rate limiter: bytes are spread over time, after a small burst") {
    RateLimiter limiter(1'000'000);
    std::int64_t now = 1'000'000'000;
    std::int64_t waited = 0;
    for (int i = 0; i < 100; ++i) {
        const auto wait = limiter.take_us(100'000, now);
        now += wait;
        waited += wait;
    }
    CHECK(waited >= 9'800'000);
    CHECK(waited <= 10'000'000);
    CHECK(RateLimiter(0).take_us(1U << 30, 0) == 0);
}

TEST_CASE("counters: what was saved is loaded, nothing there is none, rubbish is an error") {
    TempFolder folder;
    const auto path = folder.path + "/counters.json";
    CHECK(load_counts(path).value().empty());
    const CountsByArtifact counts{{sha256("a"), {1, 2}},
                                  {sha256("b"), {3ULL << 40, 0, {5, 6, 7}, true}}};
    REQUIRE(save_counts(path, counts));
    CHECK(load_counts(path).value() == counts);
    std::ofstream(path) << "{\"artifacts\": 7";
    CHECK_FALSE(load_counts(path));
}
