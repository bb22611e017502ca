#include "node/prefetches.hpp"

#include <catch2/catch.hpp>

#include "tests/storage/temp_dir.hpp"

using namespace clarity;

namespace {

CacheOrder order(unsigned char number, std::int64_t until) {
    CacheOrder out;
    out.artifact = "app";
    out.version = std::to_string(number);
    out.sha256.data.fill(number);
    out.manifest.data.fill(static_cast<unsigned char>(number + 100));
    out.candidates = {"s1", "s2"};
    out.repositories = std::string("\0\xff sealed", 9);
    out.until_unix_s = until;
    return out;
}

}  // namespace

TEST_CASE("prefetch: an order outlives a restart, as it came, until it is taken back") {
    const test::TempDir dir;
    const auto store = std::move(KeyValueStore::open(dir / "kv").value());
    const auto one = order(1, 50);
    {
        auto held = Prefetches::load(*store).value();
        REQUIRE(held.add(one));
        REQUIRE(held.add(order(2, 0)));
    }
    auto held = Prefetches::load(*store).value();
    REQUIRE(held.all().size() == 2);
    const auto& again = held.all().at(one.sha256);
    CHECK(again.candidates == one.candidates);
    CHECK(again.repositories == one.repositories);
    CHECK(again.until_unix_s == 50);
    CHECK(held.manifests() == std::set<Digest>{one.manifest, order(2, 0).manifest});
    CHECK(held.expired(49).empty());
    CHECK(held.expired(50) == std::vector<Digest>{one.sha256});  // 0 = for ever
    REQUIRE(held.remove(one.sha256));
    REQUIRE(held.remove(one.sha256));
    CHECK(Prefetches::load(*store).value().all().size() == 1);
}

TEST_CASE("prefetch: too many are refused, and what names nothing") {
    const test::TempDir dir;
    const auto store = std::move(KeyValueStore::open(dir / "kv").value());
    auto held = Prefetches::load(*store).value();
    for (unsigned char i = 0; i < Prefetches::held_max; ++i) {
        REQUIRE(held.add(order(static_cast<unsigned char>(i + 1), 1)));
    }
    CHECK(held.add(order(99, 1)).error().code == Errc::unavailable);
    CHECK(held.add(order(1, 7)));  // one that is held is renewed
    CHECK(held.add(CacheOrder{}).error().code == Errc::invalid);
}
