#include "protocol/x509.hpp"

#include <catch2/catch.hpp>

#include "protocol/join_token.hpp"

using namespace clarity;

namespace {
constexpr std::int64_t now = 1'790'000'000;

struct Ca {
    SigningKey key = SigningKey::generate();
    std::string pem = x509::make_ca(key, "test CA", now).value();
    x509::Authority authority() const { return {key, pem}; }
};

x509::Subject member(const std::string& name) {
    return {.common_name = name, .sans = {"DNS:*"}, .now_unix_s = now};
}
}  // namespace

TEST_CASE("x509: a member's certificate carries the key of its request") {
    init_crypto();
    const Ca ca;
    const auto identity = SigningKey::generate();
    const auto csr = x509::make_csr(identity, "edge-1").value();
    CHECK(x509::public_key_of_csr(csr).value() == identity.public_key());

    const auto pem = x509::issue(ca.authority(), csr, member("edge-1"));
    REQUIRE(pem);
    CHECK(x509::public_key_of_certificate(*pem).value() == identity.public_key());
    CHECK(x509::expiry_of(*pem).value() == now + 1825L * 24 * 3600);
    CHECK(x509::expiry_of(ca.pem).value() == now + 3650L * 24 * 3600);
    CHECK(x509::fingerprint_sha256(*pem).value() != x509::fingerprint_sha256(ca.pem).value());
}

TEST_CASE("x509: a request that its own key did not sign is refused") {
    init_crypto();
    const Ca ca;
    auto csr = x509::make_csr(SigningKey::generate(), "edge-1").value();
    // Another request's first half: the key of one with the signature of the other.
    const auto other = x509::make_csr(SigningKey::generate(), "edge-1").value();
    const auto begin = csr.find('\n') + 1;
    const auto end = csr.find("-----END");
    const auto a = from_base64(csr.substr(begin, end - begin)).value();
    const auto b = from_base64(other.substr(begin, end - begin)).value();
    REQUIRE(a.size() == b.size());
    const auto mixed = a.substr(0, a.size() - 64) + b.substr(b.size() - 64);
    const auto forged = "-----BEGIN CERTIFICATE REQUEST-----\n" + to_base64(mixed) +
                        "\n-----END CERTIFICATE REQUEST-----\n";
    const auto issued = x509::issue(ca.authority(), forged, member("edge-1"));
    REQUIRE_FALSE(issued);
    CHECK(issued.error().code == Errc::bad_signature);
}

TEST_CASE("x509: broken input is an error, not a crash") {
    init_crypto();
    const Ca ca;
    for (const std::string& text :
         {std::string(), std::string("-----BEGIN"), ca.pem, std::string(100'000, 'A')}) {
        CHECK_FALSE(x509::issue(ca.authority(), text, member("edge-1")));
        CHECK_FALSE(x509::public_key_of_csr(text));
    }
    CHECK_FALSE(x509::fingerprint_sha256("nothing"));
    const auto csr = x509::make_csr(SigningKey::generate(), "x").value();
    CHECK_FALSE(x509::issue(ca.authority(), csr, member("")));
    auto injected = member("x");
    injected.sans = {"DNS:a,DNS:evil.example"};
    CHECK_FALSE(x509::issue(ca.authority(), csr, injected));
    CHECK_FALSE(x509::issue({SigningKey::generate(), ca.pem}, csr, member("x")));
}

TEST_CASE("join token: its text comes back whole, and nothing else is taken for one") {
    init_crypto();
    const JoinToken token{random_bytes(16), random_bytes(32), *Digest::from(random_bytes(32)),
                          *Digest::from(random_bytes(32))};
    const auto text = token.encode();
    const auto read = JoinToken::decode(" " + text + "\n");
    REQUIRE(read);
    CHECK(read->id == token.id);
    CHECK(read->secret == token.secret);
    CHECK(read->ca_fingerprint == token.ca_fingerprint);
    CHECK(read->root_digest == token.root_digest);
    CHECK_FALSE(JoinToken::decode(text.substr(1)));
    CHECK_FALSE(JoinToken::decode(""));
    const auto wrong = JoinToken::decode(text + text);
    REQUIRE_FALSE(wrong);
    CHECK(wrong.error().message.find(text.substr(0, 20)) == std::string::npos);
}
