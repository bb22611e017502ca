#include <catch2/catch.hpp>

#include "protocol/envelope.hpp"

using namespace clarity;

TEST_CASE("envelope: a document signed by enough distinct keys of the role verifies") {
    const auto a = SigningKey::generate();
    const auto b = SigningKey::generate();
    const auto stranger = SigningKey::generate();
    const Role two{{a.public_key(), b.public_key()}, 2};

    auto envelope = Envelope::make(payload_type::plan, "body");
    envelope.sign(a);
    envelope.sign(stranger);
    CHECK_FALSE(envelope.verify(payload_type::plan, two));
    envelope.signatures.push_back(envelope.signatures.front());  // the same key twice
    CHECK_FALSE(envelope.verify(payload_type::plan, two));
    envelope.sign(b);
    CHECK(envelope.verify(payload_type::plan, two));
    CHECK_FALSE(envelope.verify(payload_type::roster, two));

    auto back = Envelope::decode(envelope.encode());
    REQUIRE(back);
    CHECK(back->digest() == envelope.digest());
    CHECK(back->verify(payload_type::plan, two));
    back->payload += "x";
    CHECK_FALSE(back->verify(payload_type::plan, two));
}
