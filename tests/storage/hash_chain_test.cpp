#include "storage/hash_chain.hpp"

#include <catch2/catch.hpp>

#include "tests/storage/temp_dir.hpp"

using namespace clarity;
using clarity::test::TempDir;

namespace {

std::string key(char index) {
    return std::string("audit/\0\0\0\0\0\0\0", 13) + index;
}

}  // namespace

TEST_CASE("hash chain: entries come back in order and the chain goes on after a restart") {
    const TempDir dir;
    auto store = KeyValueStore::open(dir / "kv");
    REQUIRE(store);
    {
        auto chain = HashChain::open(**store, "audit/");
        REQUIRE(chain);
        CHECK((*chain)->verify().value() == 0);
        for (int i = 1; i <= 300; ++i) {
            REQUIRE((*chain)->append(1000 + i, "line " + std::to_string(i)));
        }
    }
    auto chain = HashChain::open(**store, "audit/");
    REQUIRE(chain);
    REQUIRE((*chain)->append(2000, "after"));
    CHECK((*chain)->verify().value() == 301);
    const auto tail = (*chain)->tail(2).value();
    REQUIRE(tail.size() == 2);
    CHECK(tail[0].text == "line 300");
    CHECK(tail[0].time_unix_ms == 1300);
    CHECK(tail[1].index == 301);
    CHECK(tail[1].digest == (*chain)->last_digest());
}

TEST_CASE("hash chain: a changed, missing, reordered or cut entry is found and named") {
    const TempDir dir;
    auto store = KeyValueStore::open(dir / "kv");
    REQUIRE(store);
    auto chain = HashChain::open(**store, "audit/");
    REQUIRE(chain);
    for (const auto* text : {"one", "two", "three"}) REQUIRE((*chain)->append(5, text));
    auto value = *(*store)->get(key(2)).value();
    std::string expected;
    SECTION("changed") {
        value.back() = 'x';
        REQUIRE((*store)->put(key(2), value));
        expected = "entry 2 was changed";
    }
    SECTION("removed") {
        REQUIRE((*store)->erase(key(2)));
        expected = "entry 2 is missing";
    }
    SECTION("swapped") {
        const auto first = *(*store)->get(key(1)).value();
        REQUIRE((*store)->put(key(1), value));
        REQUIRE((*store)->put(key(2), first));
        expected = "entry 1 was changed";
    }
    SECTION("cut off") {
        REQUIRE((*store)->erase(key(3)));
        expected = "ends at entry 2, 3 were written";
    }
    SECTION("cut short") {
        REQUIRE((*store)->put(key(2), "x"));
        expected = "entry 2 is cut short";
    }
    const auto verified = (*chain)->verify();
    REQUIRE_FALSE(verified);
    CHECK(verified.error().code == Errc::bad_signature);
    CHECK_THAT(verified.error().message, Catch::Contains(expected));
}
