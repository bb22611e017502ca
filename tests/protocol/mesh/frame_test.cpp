#include <catch2/catch.hpp>

#include "tests/protocol/mesh/pair.hpp"

namespace clarity::mesh::test {
namespace {

DocumentAd sample_ad() {
    return {"plan", "dc-1", 41, sha256("plan"), 12'345};
}

/// One frame of every type, with everything that the type carries.
std::vector<Frame> samples() {
    std::vector<Frame> out;
    for (int type = 0; type <= static_cast<int>(FrameType::document_part); ++type) {
        auto f = frame(static_cast<FrameType>(type), 7);
        f.updates = {{1, State::suspect, 3, 9}, {2, State::dead, 4, 0}};
        f.heard = {{1, 250, 2}};
        f.sequence = 99;
        f.root = 0x0123456789abcdefULL;
        f.target = key_of("b");
        f.entries = {{key_of("c"), {1, 2}, 0xffffffffffffffffULL}};
        f.ads = {sample_ad()};
        f.bodies = {{key_of("c"), {1, 2}, "bytes"}};
        f.more = true;
        f.owners = {1, 2, 3};
        f.roots = {1, 2, 3};
        f.masks = {~0ULL, 2, 3};
        f.buckets[1] = Buckets{};
        (*f.buckets[1])[63] = 0x0102030405060708ULL;
        f.request = true;
        f.digest = sha256("plan");
        f.offset = 65'536;
        f.bytes = "part";
        out.push_back(std::move(f));
    }
    return out;
}

}  // namespace

TEST_CASE("mesh frame: every type comes back as it went", "[mesh]") {
    for (const auto& f : samples()) {
        const auto type = static_cast<int>(f.type);
        CAPTURE(type);
        const auto bytes = encode_frame(f);
        Frame back;
        REQUIRE(decode_frame(bytes, back) == FrameFault::none);
        CHECK(back.type == f.type);
        CHECK(back.site == f.site);
        CHECK(back.incarnation == 7);
        REQUIRE(back.updates.size() == 2);
        CHECK(back.updates[0].accuser == 9);
        REQUIRE(back.heard.size() == 1);
        CHECK(back.heard[0].member == 1);
        CHECK(back.heard[0].age_ms == 250);
        CHECK(back.heard[0].witness == 2);
        CHECK(encode_frame(back) == bytes);  // what the type carries, and nothing else
    }
}

TEST_CASE("mesh frame: the bytes of a ping are those of version 2", "[mesh]") {
    const auto roll = Roll::make({"a", "b", "c"});
    auto f = frame(FrameType::ping, 7);
    f.sequence = 300;
    f.root = 0x0102030405060708ULL;
    CHECK(to_hex(encode_frame(f)) == "86a17602a173cf" +
                                         fmt::format("{:016x}", site_hash(site_name)) +
                                         "a17401a16e07a171cd012ca167cf0102030405060708");
    f.heard = {{key_of("b"), 1'280, key_of("c")}, {key_of("c"), 5, key_of("a")}};
    // By place: b is 1, 128 units old, witness c; c is 2, rounded up to 1, witness a.
    const auto hash = roll->hash();
    const auto little = fmt::format("{:02x}{:02x}{:02x}{:02x}", hash & 0xffU, hash >> 8U & 0xffU,
                                    hash >> 16U & 0xffU, hash >> 24U);
    CHECK(to_hex(encode_frame(f, roll.get())).find("a168c40c01" + little + "01800103" + "020101") !=
          std::string::npos);
}

TEST_CASE("mesh frame: evidence by place says nothing to a peer of another roster", "[mesh]") {
    const auto ours = Roll::make({"a", "b", "c"});
    const auto theirs = Roll::make({"a", "b", "c", "d"});
    auto f = frame(FrameType::ping);
    f.heard = {{key_of("b"), 400, key_of("c")}};
    const auto bytes = encode_frame(f, ours.get());
    Frame back;
    REQUIRE(decode_frame(bytes, back, ours.get()) == FrameFault::none);
    REQUIRE(back.heard.size() == 1);
    CHECK(back.heard[0].member == key_of("b"));
    CHECK(back.heard[0].age_ms == 400);
    CHECK(back.heard[0].witness == key_of("c"));
    CHECK(back.roll_hash == ours->hash());
    back = {};
    REQUIRE(decode_frame(bytes, back, theirs.get()) == FrameFault::none);
    CHECK(back.heard.empty());
    CHECK(back.roll_hash == ours->hash());
    // By key it does, and a place outside the roll is a fault.
    REQUIRE(decode_frame(encode_frame(f), back, theirs.get()) == FrameFault::none);
    CHECK(back.heard.size() == 1);
    const auto at = bytes.rfind(fmt::format("{}\x28\x03", '\x01'));
    REQUIRE(at != Bytes::npos);
    auto bad = bytes;
    bad[at] = '\x09';
    CHECK(decode_frame(bad, back, ours.get()) == FrameFault::malformed);
}

TEST_CASE("mesh frame: another version is told apart before anything else is read", "[mesh]") {
    // {"v":1,"s":"x"}, and one to come
    Frame out;
    CHECK(decode_frame(*from_hex("82a17601a173a178"), out) == FrameFault::version);
    CHECK(decode_frame(*from_hex("82a17603a173a178"), out) == FrameFault::version);
}

TEST_CASE("mesh frame: an unknown type keeps what every frame carries", "[mesh]") {
    auto bytes = encode_frame(frame(FrameType::gossip, 3));
    const auto at = bytes.find("\xa1t");
    REQUIRE(at != Bytes::npos);
    bytes[at + 2] = 100;
    Frame out;
    REQUIRE(decode_frame(bytes, out) == FrameFault::none);
    CHECK(out.type == FrameType::gossip);
    CHECK(out.incarnation == 3);
}

TEST_CASE("mesh frame: what is over a limit is refused", "[mesh]") {
    Frame out;
    auto f = frame(FrameType::gossip);
    SECTION("updates") {
        f.updates.resize(updates_max + 1);
        CHECK(decode_frame(encode_frame(f), out) == FrameFault::malformed);
    }
    SECTION("entries") {
        f.type = FrameType::announce;
        f.entries.resize(entries_max + 1);
        CHECK(decode_frame(encode_frame(f), out) == FrameFault::malformed);
    }
    SECTION("bytes") {
        f.type = FrameType::document_part;
        f.bytes.assign(frame_max_bytes, 'x');
        CHECK(decode_frame(encode_frame(f), out) == FrameFault::malformed);
    }
    SECTION("a document's size") {
        f.type = FrameType::announce;
        f.ads = {sample_ad()};
        f.ads[0].size_bytes = mesh_document_max_bytes + 1;
        CHECK(decode_frame(encode_frame(f), out) == FrameFault::malformed);
    }
    SECTION("an incarnation") {
        f.incarnation = incarnation_max + 1;
        CHECK(decode_frame(encode_frame(f), out) == FrameFault::malformed);
    }
    SECTION("nesting") {
        CHECK(decode_frame(Bytes(100'000, '\x91'), out) == FrameFault::malformed);
    }
}

// Goal: whatever a member sends, the mesh neither crashes nor falls silent.
// Method: mutated, cut and spliced frames of every type, seeded; asan and ubsan builds run it too.
TEST_CASE("mesh frame: hostile frames never crash a mesh", "[mesh][hostile]") {
    Fixture a;
    a.everybody_alive();
    a.mesh.set_own_record(a.now, a.mesh.next_version(), "a: record");
    a.mesh.offer(a.now, sample_ad(), "plan");
    a.mesh.want(a.now, sha256("something else"));
    Random random(20'260);
    std::vector<Bytes> seeds;
    for (const auto& f : samples()) seeds.push_back(encode_frame(f));
    for (int round = 0; round < 40'000; ++round) {
        auto bytes = seeds[random.below(seeds.size())];
        const auto mutations = 1 + random.below(6);
        for (std::uint64_t n = 0; n < mutations && !bytes.empty(); ++n) {
            const auto at = random.below(bytes.size());
            switch (random.below(4)) {
                case 0: bytes[at] = static_cast<char>(random.below(256)); break;
                case 1: bytes.resize(at); break;
                case 2: bytes.insert(at, 1, static_cast<char>(random.below(256))); break;
                default: bytes.insert(at, seeds[random.below(seeds.size())].substr(0, at)); break;
            }
        }
        a.mesh.receive(a.now, "b", bytes);
        if (round % 16 == 0) a.run_for(5);
    }
    a.run_for(5'000);
    const auto counters = a.mesh.counters();
    CHECK(counters.dropped_malformed > 10'000);
    CHECK(counters.dropped_malformed < 40'000);  // some got through to the state machine
    auto ping = frame(FrameType::ping, incarnation_max);
    ping.sequence = 5;
    CHECK(sent(a.receive("b", ping), FrameType::ack, "b").size() == 1);
}

}  // namespace clarity::mesh::test
