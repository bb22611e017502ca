#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "protocol/orders.hpp"
#include "tests/support/documents.hpp"

using namespace clarity;
using namespace clarity::test;

namespace {

/// The bytes that version 1 of a document has on the wire. A change here breaks every deployed
/// site: it needs a new payload type, not new golden bytes. CLARITY_WRITE_GOLDEN=1 writes them.
void check_golden(const std::string& name, const Bytes& actual) {
    const std::string path = std::string(CLARITY_TEST_DATA) + "/" + name + ".hex";
    if (std::getenv("CLARITY_WRITE_GOLDEN") != nullptr) {
        std::ofstream(path) << to_hex(actual) << "\n";
    }
    std::ifstream file(path);
    std::string text;
    file >> text;
    INFO(path);
    CHECK(text == to_hex(actual));
}

}  // namespace

TEST_CASE("documents: every kind encodes to its golden bytes and back") {
    check_golden("root", sample_root().encode());
    check_golden("roster", sample_roster().encode());
    check_golden("manifest", sample_manifest().encode());
    check_golden("plan", sample_plan().encode());
    check_golden("record", sample_record().encode());
    check_golden("beacon", Beacon{"acme/dc-1", 1700000000000, 41, 3}.encode());
    check_golden("command",
                 Command{"acme/dc-1", "s-1", "restart", "smsgateway", "", "n", 17}.encode());
    check_golden("envelope",
                 sealed_by(payload_type::plan, sample_plan().encode(), fixed_key('c')).encode());

    CHECK(Root::decode(sample_root().encode())->encode() == sample_root().encode());
    CHECK(Roster::decode(sample_roster().encode())->encode() == sample_roster().encode());
    CHECK(Manifest::decode(sample_manifest().encode())->encode() == sample_manifest().encode());
    CHECK(Plan::decode(sample_plan().encode())->encode() == sample_plan().encode());
    CHECK(Record::decode(sample_record().encode())->encode() == sample_record().encode());
}

TEST_CASE("documents: a manifest from before there were stored forms is read as ever") {
    std::ifstream file(std::string(CLARITY_TEST_DATA) + "/manifest_unstored.hex");
    std::string text;
    file >> text;
    const auto manifest = Manifest::decode(*from_hex(text));
    REQUIRE(manifest);
    CHECK_FALSE(manifest->stored);
    CHECK(manifest->artifact == "smsgateway");
    CHECK(manifest->created_unix_s == 1700000000);
}

TEST_CASE("documents: any prefix of a document is refused, never half-read") {
    const Bytes whole = sample_plan().encode();
    for (std::size_t size = 0; size < whole.size(); ++size) {
        CHECK_FALSE(Plan::decode(std::string_view(whole).substr(0, size)));
    }
    CHECK_FALSE(Plan::decode(whole + "x"));
}

TEST_CASE("documents: a message of many tiny values is refused before it unfolds") {
    Bytes many = "\x81\xa1x\xdd";  // {"x": [0, 0, …]}
    many += std::string("\x00\x00\xff\xff", 4) + Bytes(0xffff, '\x00');
    CHECK_FALSE(Envelope::decode(many));
}

TEST_CASE("documents: 300,000 levels of nesting are refused") {
    CHECK_FALSE(Plan::decode(Bytes(300000, '\x91')));
    CHECK_FALSE(Envelope::decode(Bytes(300000, '\x81')));
}

TEST_CASE("plan: who may be believed, and when") {
    const Root root = sample_root();
    const Plan plan = sample_plan();
    const auto good = sealed_by(payload_type::plan, plan.encode(), fixed_key('c'));
    PlanContext context{.site = "acme/dc-1",
                        .now_unix_s = 1700000001,
                        .seq_seen = 40,
                        .digest_seen = {},
                        .approvals = 0};

    SECTION("the coordinator's next plan is accepted") {
        CHECK(verify_plan(root, context, good));
    }
    SECTION("a wrong key is refused") {
        const auto forged = sealed_by(payload_type::plan, plan.encode(), fixed_key('x'));
        CHECK(verify_plan(root, context, forged).error().code == Errc::bad_signature);
    }
    SECTION("a key of another role is refused") {
        const auto artifact = sealed_by(payload_type::plan, plan.encode(), fixed_key('a'));
        CHECK(verify_plan(root, context, artifact).error().code == Errc::bad_signature);
    }
    SECTION("another site's plan is refused") {
        context.site = "acme/dc-2";
        CHECK(verify_plan(root, context, good).error().code == Errc::bad_signature);
    }
    SECTION("an old seq is refused") {
        context.seq_seen = 42;
        const auto refused = verify_plan(root, context, good);
        CHECK(refused.error().code == Errc::conflict);
        CHECK(refused.error().message.find("old plan") == 0);
    }
    SECTION("an equal seq with other bytes is equivocation") {
        context.seq_seen = 41;
        context.digest_seen = *Digest::from(Bytes(32, 'z'));
        CHECK(verify_plan(root, context, good).error().message.find("equivocation") == 0);
        context.digest_seen = good.digest();
        CHECK(verify_plan(root, context, good).error().code == Errc::exists);
    }
    SECTION("after accept-until it is not accepted for the first time") {
        Plan late = plan;
        late.accept_until_unix_s = 1700000000;
        const auto envelope = sealed_by(payload_type::plan, late.encode(), fixed_key('c'));
        CHECK(verify_plan(root, context, envelope).error().code == Errc::timeout);
    }
    SECTION("approvals that are asked for must be there") {
        context.approvals = 1;
        CHECK_FALSE(verify_plan(root, context, good));
        Root with = root;
        with.roles[role::approver] = {{fixed_key('p').public_key()}, 1};
        auto approved = good;
        CHECK_FALSE(verify_plan(with, context, approved));
        approved.sign(fixed_key('p'));
        CHECK(verify_plan(with, context, approved));
    }
}

TEST_CASE("root: a later version needs the old and the new threshold") {
    const Root first = sample_root();
    Root second = first;
    second.version = 2;
    second.roles[role::root] = {{fixed_key('r').public_key(), fixed_key('s').public_key()}, 2};
    auto next = Envelope::make(payload_type::root, second.encode());
    next.sign(fixed_key('s'));
    CHECK_FALSE(verify_next_root(first, next));
    next.sign(fixed_key('r'));
    CHECK(verify_next_root(first, next));

    Root skipped = second;
    skipped.version = 3;
    auto far = Envelope::make(payload_type::root, skipped.encode());
    far.sign(fixed_key('r'));
    far.sign(fixed_key('s'));
    CHECK(verify_next_root(first, far).error().code == Errc::conflict);
}

TEST_CASE("record: only the owner's own key signs for it") {
    const Roster roster = sample_roster();
    const Bytes payload = sample_record().encode();
    CHECK(verify_record(roster, sealed_by(payload_type::record, payload, fixed_key('1'))));
    CHECK_FALSE(verify_record(roster, sealed_by(payload_type::record, payload, fixed_key('2'))));
    Roster without = roster;
    without.members.erase(without.members.begin());
    CHECK_FALSE(verify_record(without, sealed_by(payload_type::record, payload, fixed_key('1'))));
}

TEST_CASE("manifest: piece hashes must match the size") {
    Manifest manifest = sample_manifest();
    manifest.piece_layer += Bytes(32, 'x');
    CHECK_FALSE(Manifest::decode(manifest.encode()));
    manifest = sample_manifest();
    manifest.piece_size_bytes = 30000;
    CHECK_FALSE(Manifest::decode(manifest.encode()));
    CHECK(sample_manifest().piece_length(1) == 40000 - 32768);
}
