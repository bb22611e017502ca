#include "coordinator/tokens.hpp"

#include "coordinator/auth.hpp"
#include "coordinator/vault.hpp"
#include "tests/coordinator/support.hpp"

using namespace clarity;
using namespace clarity::coordinator;

namespace {
constexpr std::int64_t now = 1'790'000'000;
}

TEST_CASE("tokens: one is good once, for one key, until it expires") {
    init_crypto();
    const test::TempDir dir;
    auto store = Store::open(dir.path + "/db").value();
    Tokens tokens(*store);
    const auto key = SigningKey::generate().public_key();
    const auto issued = tokens.create({"acme/dc-1", "", 600}, {}, {}, now).value();
    CHECK(issued.expires_unix_s == now + 600);
    const auto token = JoinToken::decode(issued.text).value();

    auto row = tokens.check(token, key, now + 600);
    REQUIRE(row);
    CHECK(row->site() == "acme/dc-1");
    CHECK(tokens.check(token, key, now + 601).error().message.find("expired") != std::string::npos);

    REQUIRE(store->put_all({Tokens::spent(*row, key, "edge-1", now)}));
    CHECK(tokens.check(token, key, now + 1));  // the same server asks again: its answer was lost
    const auto thief = tokens.check(token, SigningKey::generate().public_key(), now + 1);
    REQUIRE_FALSE(thief);
    CHECK(thief.error().code == Errc::denied);
    CHECK(thief.error().message.find("was used") != std::string::npos);
}

TEST_CASE("tokens: a wrong secret, an unknown id and a wild lifetime are refused") {
    init_crypto();
    const test::TempDir dir;
    auto store = Store::open(dir.path + "/db").value();
    Tokens tokens(*store);
    const auto key = SigningKey::generate().public_key();
    const auto issued = tokens.create({"acme/dc-1", "", 600}, {}, {}, now).value();
    auto wrong = JoinToken::decode(issued.text).value();
    wrong.secret[0] ^= 1;
    auto unknown = wrong;
    unknown.id[0] ^= 1;
    const auto a = tokens.check(wrong, key, now);
    const auto b = tokens.check(unknown, key, now);
    REQUIRE_FALSE(a);
    REQUIRE_FALSE(b);
    CHECK(a.error().message == b.error().message);
    CHECK_FALSE(tokens.create({"acme/dc-1", "", 0}, {}, {}, now));
    CHECK_FALSE(tokens.create({"acme/dc-1", "", 1'000'000'000}, {}, {}, now));
}

TEST_CASE("tokens: neither the list nor the store shows a secret") {
    init_crypto();
    const test::TempDir dir;
    auto store = Store::open(dir.path + "/db").value();
    Tokens tokens(*store);
    const auto issued = tokens.create({"acme/dc-1", "edge-1", 600}, {}, {}, now).value();
    const auto token = JoinToken::decode(issued.text).value();
    const auto listed = to_text(tokens.list(now).value());
    CHECK(listed.find(to_hex(token.id)) != std::string::npos);
    CHECK(listed.find("hash") == std::string::npos);
    const auto rows = store->rows(schema::token).value();
    REQUIRE(rows.size() == 1);
    CHECK(rows[0].second.find(to_hex(token.secret)) == std::string::npos);
    CHECK(rows[0].second.find(issued.text) == std::string::npos);
}

TEST_CASE("vault: values come back, are not readable in the store, and cannot be moved") {
    init_crypto();
    const test::TempDir dir;
    auto store = Store::open(dir.path + "/db").value();
    const Bytes key = random_bytes(32);
    Vault vault(*store, key);
    REQUIRE(vault.put("acme", "db.password", "correct horse"));
    REQUIRE(vault.put("acme", "api_key", "battery"));
    CHECK(vault.resolve("acme", "db.password").value() == "correct horse");
    CHECK(vault.names("acme").value() == std::vector<std::string>{"api_key", "db.password"});
    CHECK(vault.names("acm").value().empty());
    CHECK(vault.resolve("acme", "none").error().code == Errc::not_found);
    CHECK(vault.resolve("other", "db.password").error().code == Errc::not_found);
    CHECK_FALSE(vault.put("acme", "../x", "v"));
    CHECK_FALSE(vault.put("acme", "x", ""));

    const auto boxed = store->get(schema::key(schema::secret, {"acme", "db.password"})).value();
    CHECK(boxed->find("correct") == std::string::npos);
    REQUIRE(store->put(schema::key(schema::secret, {"acme", "api_key"}), *boxed));
    CHECK(vault.resolve("acme", "api_key").error().code == Errc::bad_signature);
    CHECK_FALSE(Vault(*store, random_bytes(32)).resolve("acme", "db.password"));
}

TEST_CASE("auth: guesses are cut off, the right token is not") {
    init_crypto();
    Auth auth("the admin's token");
    CHECK(auth.is_admin("the admin's token"));
    CHECK_FALSE(auth.is_admin("the admin's tokem"));
    CHECK_FALSE(auth.is_admin(""));
    for (int i = 0; i < Auth::failures_max; ++i) {
        CHECK_FALSE(auth.is_blocked("10.0.0.1", 1000));
        auth.note_failure("10.0.0.1", 1000);
    }
    CHECK(auth.is_blocked("10.0.0.1", 1000));
    CHECK_FALSE(auth.is_blocked("10.0.0.2", 1000));
    CHECK(auth.is_admin("the admin's token"));
    CHECK_FALSE(auth.is_blocked("10.0.0.1", 1000 + Auth::window_ms));
}
