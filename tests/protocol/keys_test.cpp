#include <catch2/catch.hpp>

#include "protocol/keys.hpp"

using namespace clarity;

TEST_CASE("keys: a key file opens with its passphrase only") {
    const auto key = SigningKey::generate();
    const auto plain = encode_key_file(key, "");
    CHECK(decode_key_file(plain, "")->public_key() == key.public_key());
    const auto locked = encode_key_file(key, "open sesame");
    CHECK(decode_key_file(locked, "").error().code == Errc::denied);
    CHECK(decode_key_file(locked, "wrong").error().code == Errc::denied);
    CHECK(decode_key_file(locked, "open sesame")->public_key() == key.public_key());
    CHECK_FALSE(decode_key_file(locked.substr(0, locked.size() / 2), "open sesame"));
    CHECK_FALSE(decode_key_file("nonsense", ""));
}

TEST_CASE("keys: what is sealed to a server opens there and nowhere else") {
    const auto server = SigningKey::generate();
    const auto other = SigningKey::generate();
    const auto sealed = seal_to(server.public_key(), "DB_PASS=hunter2");
    REQUIRE(sealed);
    CHECK(*server.open_sealed(*sealed) == "DB_PASS=hunter2");
    CHECK_FALSE(other.open_sealed(*sealed));
    CHECK(*seal_to(server.public_key(), "x") != *seal_to(server.public_key(), "x"));
}

TEST_CASE("keys: text encodings refuse what is not theirs") {
    CHECK(*from_hex(to_hex("\x00\xff z")) == std::string("\x00\xff z"));
    CHECK_FALSE(from_hex("abc"));
    CHECK_FALSE(from_hex("zz"));
    CHECK(*from_base64url(to_base64url("any bytes")) == "any bytes");
    CHECK_FALSE(from_base64url("***"));
    const auto boxed = encrypt(Bytes(32, 'k'), "secret");
    CHECK(*decrypt(Bytes(32, 'k'), boxed) == "secret");
    CHECK_FALSE(decrypt(Bytes(32, 'j'), boxed));
}
