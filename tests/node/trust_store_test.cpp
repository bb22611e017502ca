#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>

#include "node/document_policy.hpp"
#include "protocol/version.hpp"
#include "tests/support/documents.hpp"

using namespace clarity;
using namespace clarity::test;

namespace {

constexpr std::int64_t now_ms = 1700000001000;

struct Fixture {
    std::string dir = [] {
        char name[] = "/tmp/clarity-trust-XXXXXX";
        return std::string(mkdtemp(name));
    }();
    std::unique_ptr<KeyValueStore> store = *KeyValueStore::open(dir + "/kv");
    Envelope root = sealed_by(payload_type::root, sample_root().encode(), fixed_key('r'));
    Envelope roster = sealed_by(payload_type::roster, sample_roster().encode(), fixed_key('c'));

    ~Fixture() {
        store.reset();
        std::filesystem::remove_all(dir);
    }
    TrustStore open() { return *TrustStore::open(*store, "acme/dc-1"); }
    TrustStore begun() {
        auto trust = open();
        REQUIRE(trust.begin({root}, roster));
        return trust;
    }
};

Envelope plan_with(std::uint64_t seq, std::string_view version, bool allow_downgrade = false) {
    Plan plan = sample_plan();
    plan.seq = seq;
    plan.allow_downgrade = allow_downgrade;
    for (auto& server : plan.servers) server.services.front().version = version;
    return sealed_by(payload_type::plan, plan.encode(), fixed_key('c'));
}

}  // namespace

TEST_CASE("trust store: what was accepted is there after a restart, and known to peers") {
    Fixture fixture;
    const auto plan = plan_with(41, "3.2.1");
    {
        auto trust = fixture.begun();
        REQUIRE(trust.accept_plan(plan, now_ms / 1000));
        REQUIRE(trust.store_incarnation(7));
    }
    auto trust = fixture.open();
    CHECK(trust.roster().epoch == 3);
    CHECK(trust.plan_seq() == 41);
    CHECK(trust.plan_digest() == plan.digest());
    CHECK(trust.incarnation() >= 7);
    CHECK(trust.held().size() == 3);
    CHECK(trust.missing_manifests().size() == 1);
    CHECK(trust.find(plan.digest())->bytes == plan.encode());
}

TEST_CASE("trust store: no incarnation is used twice, and not each one is written") {
    Fixture fixture;
    std::uint64_t used = 0;
    for (int starts = 0; starts < 3; ++starts) {
        auto trust = fixture.open();
        const auto first = trust.incarnation() + 1;
        CHECK(first > used);
        REQUIRE(trust.store_incarnation(first));
        const auto reserved = trust.incarnation();
        CHECK(reserved > first);
        for (used = first; used < reserved; ++used) {
            REQUIRE(trust.store_incarnation(used));
            REQUIRE(trust.incarnation() == reserved);
        }
        REQUIRE(trust.store_incarnation(++used));
        CHECK(trust.incarnation() > used);
    }
}

TEST_CASE("trust store: an older plan, another plan of the same seq and a silent downgrade") {
    Fixture fixture;
    auto trust = fixture.begun();
    REQUIRE(trust.accept_plan(plan_with(41, "3.2.1"), now_ms / 1000));
    CHECK(trust.accept_plan(plan_with(40, "3.2.1"), now_ms / 1000).error().code == Errc::conflict);
    CHECK(trust.accept_plan(plan_with(41, "9.9.9"), now_ms / 1000).error().code == Errc::conflict);
    int evidence = 0;
    REQUIRE(fixture.store->scan("trust/evidence/", [&](auto, auto) { return ++evidence > 0; }));
    CHECK(evidence == 1);
    CHECK(trust.accept_plan(plan_with(42, "3.2.0"), now_ms / 1000).error().code ==
          Errc::bad_signature);
    CHECK(trust.plan_seq() == 41);
    CHECK(trust.accept_plan(plan_with(42, "3.2.0", true), now_ms / 1000));
}

TEST_CASE("document policy: a refusal is remembered once, shown, and not pulled again") {
    Fixture fixture;
    auto trust = fixture.begun();
    DocumentPolicy policy(trust);
    const auto forged = sealed_by(payload_type::plan, sample_plan().encode(), fixed_key('x'));
    const DocumentName name{"plan", 41, forged.digest()};
    CHECK(policy.wants(name, now_ms));
    CHECK_FALSE(policy.take("plan", forged.encode(), now_ms));
    CHECK_FALSE(policy.take("plan", forged.encode(), now_ms));
    REQUIRE(policy.refusals().size() == 1);
    CHECK(policy.refusals().front().seq == 41);
    CHECK(policy.refusals().front().code == "bad_signature");
    CHECK_FALSE(policy.wants(name, now_ms));

    const auto unknown_role = sealed_by("application/x-order", "do it", fixed_key('c'));
    CHECK(policy.take("", unknown_role.encode(), now_ms).error().code == Errc::bad_signature);
    CHECK(policy.take("roster", plan_with(50, "3.2.1").encode(), now_ms).error().code ==
          Errc::bad_signature);
    CHECK(*policy.take("plan", plan_with(50, "3.2.1").encode(), now_ms) == DocumentEffect::plan);
}

TEST_CASE("document policy: what came before the root that allows it is wanted again after it") {
    Fixture fixture;
    auto trust = fixture.begun();
    DocumentPolicy policy(trust);
    Root next = sample_root();
    next.version += 1;
    next.roles[role::coordinator] = Role{{fixed_key('n').public_key()}, 1};
    const auto root = sealed_by(payload_type::root, next.encode(), fixed_key('r'));
    const auto plan = sealed_by(payload_type::plan, sample_plan().encode(), fixed_key('n'));
    const DocumentName name{"plan", 41, plan.digest()};
    REQUIRE_FALSE(policy.take("plan", plan.encode(), now_ms));
    CHECK_FALSE(policy.wants(name, now_ms));
    REQUIRE(policy.take("root", root.encode(), now_ms));
    CHECK(policy.wants(name, now_ms));
    CHECK(*policy.take("plan", plan.encode(), now_ms) == DocumentEffect::plan);
    CHECK(policy.refusals().empty());
}

TEST_CASE("document policy: a plan too late by a wrong clock is wanted again a while later") {
    Fixture fixture;
    auto trust = fixture.begun();
    DocumentPolicy policy(trust);
    Plan plan = sample_plan();
    plan.accept_until_unix_s = now_ms / 1000;
    const auto envelope = sealed_by(payload_type::plan, plan.encode(), fixed_key('c'));
    const DocumentName name{"plan", plan.seq, envelope.digest()};
    const auto wrong_ms = now_ms + 3'600'000;
    CHECK(policy.take("plan", envelope.encode(), wrong_ms).error().code == Errc::timeout);
    CHECK_FALSE(policy.wants(name, wrong_ms));
    CHECK(policy.wants(name, wrong_ms + DocumentPolicy::retry_after_ms));
    CHECK(policy.take("plan", envelope.encode(), now_ms));
}

TEST_CASE("document policy: a command is pulled once, and only one of a command's size") {
    Fixture fixture;
    auto trust = fixture.begun();
    DocumentPolicy policy(trust);
    const auto forged = sealed_by(payload_type::command, "stop", fixed_key('x'));
    const DocumentName name{"command", 1, forged.digest(), forged.encode().size()};
    CHECK(policy.wants(name, now_ms));
    CHECK_FALSE(policy.wants({"command", 1, Digest{{1}}, 16U << 20}, now_ms));
    policy.refuse("command", forged, {Errc::bad_signature, "no"}, now_ms);
    CHECK_FALSE(policy.wants(name, now_ms + 3'600'000));
    CHECK(policy.refusals().size() == 1);
    policy.settle(Digest{{2}});
    CHECK_FALSE(policy.wants({"command", 1, Digest{{2}}, 100}, now_ms));
}

TEST_CASE("document policy: later roots are wanted in order, manifests when the plan names them") {
    Fixture fixture;
    auto trust = fixture.begun();
    DocumentPolicy policy(trust);
    CHECK(policy.wants({"root", 2, Digest{{1}}}, now_ms));
    CHECK_FALSE(policy.wants({"root", 3, Digest{{1}}}, now_ms));
    CHECK_FALSE(policy.wants({"manifest", 0, *Digest::from(Bytes(32, '\x02'))}, now_ms));
    REQUIRE(trust.accept_plan(plan_with(41, "3.2.1"), now_ms / 1000));
    CHECK(policy.wants({"manifest", 0, *Digest::from(Bytes(32, '\x02'))}, now_ms));
    CHECK_FALSE(policy.wants({"plan", 40, Digest{{1}}}, now_ms));
    CHECK(policy.wants({"plan", 41, Digest{{1}}}, now_ms));
}

TEST_CASE("versions order as semantic versioning says") {
    const char* rising[] = {"1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-beta.2", "1.0.0-beta.11",
                            "1.0.0-rc.1",  "1.0.0",         "1.2.0",        "1.10.0"};
    for (std::size_t i = 0; i + 1 < std::size(rising); ++i) {
        CAPTURE(rising[i], rising[i + 1]);
        CHECK(std::is_lt(compare_versions(rising[i], rising[i + 1])));
        CHECK(std::is_gt(compare_versions(rising[i + 1], rising[i])));
    }
    CHECK(std::is_eq(compare_versions("1.0.0+a", "1.0.0+b")));
}
