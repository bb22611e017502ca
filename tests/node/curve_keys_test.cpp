#include "node/curve_keys.hpp"

#include <catch2/catch.hpp>

#include "tests/storage/temp_dir.hpp"

using namespace clarity;
using clarity::test::TempDir;

TEST_CASE("curve keys: what was converted once is read back, and who left is forgotten", "[node]") {
    const TempDir dir;
    const auto store = KeyValueStore::open(dir / "db").value();
    const auto ada = SigningKey::generate().public_key();
    const auto ben = SigningKey::generate().public_key();
    {
        CurveKeys keys(*store);
        REQUIRE(keys.of(ada).value() == *curve_public(ada));
        REQUIRE(keys.of(ben).value() == *curve_public(ben));
        keys.store();
    }
    REQUIRE((*store->get("agent/curve_keys"))->size() == 128);
    CurveKeys again(*store);
    REQUIRE(again.of(ben).value() == *curve_public(ben));
    again.store();
    REQUIRE((*store->get("agent/curve_keys"))->size() == 64);
    REQUIRE(again.of(ada).value() == *curve_public(ada));
}

TEST_CASE("curve keys: a row on disk stands for the conversion; a broken value for none",
          "[node]") {
    const TempDir dir;
    const auto store = KeyValueStore::open(dir / "db").value();
    const auto ada = SigningKey::generate().public_key();
    const auto other = *curve_public(SigningKey::generate().public_key());
    REQUIRE(store->put("agent/curve_keys", Bytes(ada.view()) + Bytes(other.view())));
    REQUIRE(CurveKeys(*store).of(ada).value() == other);  // no second conversion
    REQUIRE(store->put("agent/curve_keys", Bytes(63, 'x')));
    REQUIRE(CurveKeys(*store).of(ada).value() == *curve_public(ada));
}

TEST_CASE("curve keys: bytes that are no Ed25519 key are refused each time", "[node]") {
    const TempDir dir;
    const auto store = KeyValueStore::open(dir / "db").value();
    CurveKeys keys(*store);
    REQUIRE_FALSE(keys.of(PublicKey{}));
    REQUIRE_FALSE(keys.of(PublicKey{}));
}
