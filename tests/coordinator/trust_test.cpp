#include "coordinator/trust.hpp"

#include "coordinator/manifests.hpp"
#include "tests/coordinator/support.hpp"

using namespace clarity;
using namespace clarity::coordinator;

TEST_CASE("trust: the first root must be version 1, self-signed, and name this coordinator") {
    init_crypto();
    const test::TempDir dir;
    const test::Operator op;
    const auto own = SigningKey::generate();
    auto store = Store::open(dir.path + "/db").value();
    auto trust = Trust::load(*store, own.public_key()).value();
    CHECK_FALSE(trust.current());

    auto foreign = op.sign_root(op.root(SigningKey::generate().public_key()));
    CHECK(trust.put(foreign.encode()).error().code == Errc::invalid);
    auto unsigned_root = Envelope::make(payload_type::root, op.root(own.public_key()).encode());
    unsigned_root.sign(SigningKey::generate());
    CHECK(trust.put(unsigned_root.encode()).error().code == Errc::bad_signature);
    CHECK_FALSE(trust.put(op.sign_root(op.root(own.public_key(), 2)).encode()));
    CHECK_FALSE(trust.put("rubbish"));
    CHECK_FALSE(trust.has_root());

    const auto first = op.sign_root(op.root(own.public_key()));
    REQUIRE(trust.put(first.encode()));
    CHECK(trust.put(first.encode()).value() == first.digest());
    CHECK(trust.first_digest() == first.digest());
}

TEST_CASE("trust: a later root follows by both thresholds, and survives a restart") {
    init_crypto();
    const test::TempDir dir;
    const test::Operator op;
    const test::Operator other;
    const auto own = SigningKey::generate();
    const auto first = op.sign_root(op.root(own.public_key()));
    auto second = op.root(own.public_key(), 2);
    second.roles[role::root].keys = {other.root_key.public_key()};
    auto next = Envelope::make(payload_type::root, second.encode());
    next.sign(other.root_key);
    {
        auto store = Store::open(dir.path + "/db").value();
        auto trust = Trust::load(*store, own.public_key()).value();
        REQUIRE(trust.put(first.encode()));
        CHECK_FALSE(trust.put(next.encode()));  // not signed by the old root
        next.sign(op.root_key);
        REQUIRE(trust.put(next.encode()));
        CHECK(trust.put(op.sign_root(op.root(own.public_key(), 1)).encode()).error().code ==
              Errc::conflict);
    }
    auto store = Store::open(dir.path + "/db").value();
    const auto trust = Trust::load(*store, own.public_key()).value();
    CHECK(trust.version() == 2);
    CHECK(trust.chain().size() == 2);
    CHECK(trust.first_digest() == first.digest());
    CHECK(trust.digest() == next.digest());
}

TEST_CASE("manifests: only the artifact role's, and one name@version has one manifest for ever") {
    init_crypto();
    const test::TempDir dir;
    const test::Operator op;
    const auto root = op.root(SigningKey::generate().public_key());
    auto store = Store::open(dir.path + "/db").value();
    auto manifests = Manifests::load(*store).value();
    const auto good =
        op.sign_manifest(op.manifest("web", "1.0.0", ArtifactType::binary, "contents"));
    const auto digest = manifests.add(root, good.encode());
    REQUIRE(digest);
    CHECK(manifests.add(root, good.encode()).value() == *digest);
    CHECK(manifests.envelope(*digest).value() == good.encode());

    const auto changed =
        op.sign_manifest(op.manifest("web", "1.0.0", ArtifactType::binary, "other"));
    CHECK(manifests.add(root, changed.encode()).error().code == Errc::exists);
    const test::Operator stranger;
    const auto forged =
        stranger.sign_manifest(op.manifest("web", "2.0.0", ArtifactType::binary, "evil"));
    CHECK(manifests.add(root, forged.encode()).error().code == Errc::bad_signature);
    auto altered = good;
    altered.payload[altered.payload.size() / 2] ^= 1;
    CHECK_FALSE(manifests.add(root, altered.encode()));

    const auto again = Manifests::load(*store).value();
    REQUIRE(again.find("web", "1.0.0") != nullptr);
    CHECK(again.find("web", "1.0.0")->pieces == 1);
    CHECK(again.all().size() == 1);
}
