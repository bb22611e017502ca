#include <catch2/catch.hpp>

#include "tests/protocol/mesh/pair.hpp"

namespace clarity::mesh::test {
namespace {

Frame record_frame(const char* owner, RecordVersion version, const Bytes& bytes) {
    auto f = frame(FrameType::records);
    f.bodies = {{key_of(owner), version, bytes}};
    return f;
}

Frame part_of(const DocumentAd& ad, std::string_view body, std::uint64_t offset, std::size_t size) {
    auto f = frame(FrameType::document_part);
    f.digest = ad.digest;
    f.offset = offset;
    f.ads = {ad};
    f.bytes = body.substr(offset, size);
    return f;
}

Frame announce(const DocumentAd& ad) {
    auto f = frame(FrameType::announce);
    f.ads = {ad};
    return f;
}

}  // namespace

TEST_CASE("mesh records: a newer verified record is stored, reported and passed on at once",
          "[mesh]") {
    Fixture a;
    a.everybody_alive();
    const auto effects = a.receive("b", record_frame("c", {1, 4}, "c: four"));
    REQUIRE(only<RecordReceived>(effects).size() == 1);
    CHECK(a.mesh.records().at("c").version == RecordVersion{1, 4});
    const auto pushed = a.run_for(20);
    std::size_t bodies = 0;
    for (const auto& f : sent(pushed, FrameType::records)) {
        REQUIRE(f.bodies.size() == 1);
        CHECK(f.bodies[0].bytes == "c: four");
        ++bodies;
    }
    CHECK(bodies == 3);
    CHECK(sent(pushed, FrameType::records, "b").empty());  // not back to where it came from
}

TEST_CASE("mesh records: older and unsigned ones, and those of strangers, change nothing",
          "[mesh]") {
    Fixture a;
    a.receive("b", record_frame("c", {2, 4}, "c: four"));
    a.receive("b", record_frame("c", {2, 3}, "c: three"));
    a.receive("b", record_frame("c", {1, 9}, "c: older life"));
    a.receive("b", record_frame("c", {3, 1}, "forged"));
    a.receive("b", record_frame("nobody", {3, 1}, "nobody: hello"));
    a.receive("b", record_frame("c", {3, 1}, "c:" + Bytes(stored_record_max_bytes, 'x')));
    CHECK(a.mesh.records().size() == 1);
    CHECK(a.mesh.records().at("c").bytes == "c: four");
    CHECK(a.mesh.counters().records_refused == 2);
}

TEST_CASE("mesh records: equal versions with other bytes are refused and reported once", "[mesh]") {
    Fixture a;
    a.receive("b", record_frame("c", {1, 4}, "c: yes"));
    const auto effects = a.receive("d", record_frame("c", {1, 4}, "c: no"));
    REQUIRE(only<Equivocation>(effects).size() == 1);
    CHECK(only<Equivocation>(effects)[0].bytes == "c: no");
    CHECK(only<Equivocation>(effects)[0].from == "d");
    CHECK(only<Equivocation>(a.receive("e", record_frame("c", {1, 4}, "c: no"))).empty());
    CHECK(only<Equivocation>(a.receive("e", record_frame("c", {1, 4}, "not signed"))).empty());
    CHECK(a.mesh.records().at("c").bytes == "c: yes");
}

TEST_CASE("mesh records: a version that peers know of us is jumped over", "[mesh]") {
    Fixture a(settings("a"), 1);  // a lost disk: starts at 1 again
    a.everybody_alive();
    a.mesh.set_own_record(a.now, a.mesh.next_version(), "a: after");
    a.effects();
    auto f = frame(FrameType::announce);
    f.entries = {{key_of("a"), {7, 30}, 123}};
    a.receive("b", f);
    CHECK(a.mesh.incarnation() == 1);  // nobody is believed without our own signature
    const auto pulled = sent(a.run_for(100), FrameType::record_get, "b");
    REQUIRE_FALSE(pulled.empty());
    CHECK(pulled[0].owners == std::vector<MemberKey>{key_of("a")});
    const auto effects = a.receive("b", record_frame("a", {7, 30}, "a: before"));
    CHECK(only<RecordJump>(effects).size() == 1);
    REQUIRE(only<StoreIncarnation>(effects).size() == 1);
    CHECK(only<StoreIncarnation>(effects)[0].value == 8);
    CHECK(a.mesh.next_version() == RecordVersion{8, 1});
    a.mesh.set_own_record(a.now, a.mesh.next_version(), "a: again");
    CHECK(a.mesh.records().at("a").version == RecordVersion{8, 1});
    CHECK(only<RecordJump>(a.receive("c", record_frame("a", {7, 30}, "a: before"))).empty());
}

TEST_CASE("mesh records: a large one is announced and pulled, not pushed", "[mesh]") {
    Fixture a;
    a.everybody_alive();
    a.run_for(1'000);
    a.everybody_alive();
    a.mesh.set_own_record(a.now, a.mesh.next_version(), "a:" + Bytes(20'000, 'x'));
    const auto effects = a.run_for(20);
    CHECK(sent(effects, FrameType::records).empty());
    CHECK(sent(effects, FrameType::announce).size() == 4);
    auto get = frame(FrameType::record_get);
    get.owners = {key_of("a"), key_of("b"), 12'345};
    const auto served = sent(a.receive("b", get), FrameType::records, "b");
    REQUIRE(served.size() == 1);
    CHECK(served[0].bodies.size() == 1);
}

TEST_CASE("mesh records: an answer is at most 64 KiB, and says when there is more", "[mesh]") {
    Fixture a;
    a.everybody_alive();
    auto get = frame(FrameType::record_get);
    for (const char* owner : {"b", "c", "d", "e"}) {
        get.owners.push_back(key_of(owner));
        a.receive("b", record_frame(owner, {1, 1}, owner + Bytes(25'000, 'x')));
    }
    const auto served = sent(a.receive("b", get), FrameType::records, "b");
    REQUIRE(served.size() == 1);
    CHECK(served[0].bodies.size() == 2);
    CHECK(served[0].more);
    // Who is told so asks again at once.
    auto more = record_frame("c", {1, 2}, "c: newer");
    more.more = true;
    a.run_for(100);
    CHECK(sent(a.receive("d", more), FrameType::digest, "d").size() == 1);
}

TEST_CASE("mesh records: what an older agent cannot read is kept and passed on", "[mesh]") {
    auto s = settings("a");
    s.verify_record = [](const std::string&, RecordVersion, std::string_view) { return true; };
    Fixture a(s);
    a.everybody_alive();
    const Bytes unreadable("\xc1\xff\x00 from the future", 19);
    a.receive("b", record_frame("c", {1, 4}, unreadable));
    CHECK(a.mesh.records().at("c").bytes == unreadable);
    auto get = frame(FrameType::record_get);
    get.owners = {key_of("c")};
    const auto served = sent(a.receive("d", get), FrameType::records, "d");
    REQUIRE(served.size() == 1);
    CHECK(served[0].bodies[0].bytes == unreadable);
}

TEST_CASE("mesh records: meshes of one process may hold equal records once", "[mesh]") {
    std::map<std::uint64_t, RecordPtr> pool;
    auto s = settings("a");
    s.share_record = [&](RecordPtr record) {
        return pool.emplace(record->hash, std::move(record)).first->second;
    };
    Fixture one(s);
    Fixture two(s);
    for (auto* each : {&one, &two}) each->receive("b", record_frame("c", {1, 4}, "c: four"));
    CHECK(one.mesh.records().find("c") == two.mesh.records().find("c"));
    CHECK(one.mesh.records().find("c") != nullptr);
    CHECK(one.mesh.records().find("d") == nullptr);
    CHECK_THROWS_AS(one.mesh.records().at("d"), std::out_of_range);
}

TEST_CASE("mesh anti-entropy: pings and acks start an exchange, with who differs only", "[mesh]") {
    Fixture a;
    a.everybody_alive();
    a.run_for(100);
    auto ping = frame(FrameType::ping);
    ping.sequence = 1;
    const auto acks = sent(a.receive("b", ping), FrameType::ack, "b");
    REQUIRE(acks.size() == 1);
    a.run_for(2'000);
    ping.root = acks[0].root + 1;
    CHECK(sent(a.receive("b", ping), FrameType::digest, "b").size() == 1);
    CHECK(sent(a.receive("c", ping), FrameType::digest).empty());  // one at a time
    a.now += 2'100;
    a.everybody_alive();
    const auto now = sent(a.receive("d", ping), FrameType::ack, "d");
    REQUIRE(now.size() == 1);
    a.now += 2'100;
    ping.root = now[0].root;
    CHECK(sent(a.receive("d", ping), FrameType::digest).empty());
}

TEST_CASE("mesh anti-entropy: two that differ end up equal without any gossip", "[mesh]") {
    Mesh a(settings("a"), 1);
    Mesh b(settings("b"), 1);
    for (auto* mesh : {&a, &b}) mesh->set_members(0, members({"a", "b", "c"}));
    const Bytes plan(100'000, 'p');
    a.offer(0, {"plan", "dc", 1, sha256(plan), plan.size()}, plan);
    a.receive(0, "c", encode_frame(record_frame("c", {1, 1}, "c: known to a only")));
    std::int64_t now = 0;
    Bytes received;
    bool wanted = false;
    // Only the frames of anti-entropy and pulls pass.
    const auto pass = [&](Mesh& from, const std::string& name, Mesh& to) {
        for (auto& effect : from.take_effects()) {
            if (auto* seen = std::get_if<AdSeen>(&effect)) {
                wanted = true;
                from.want(now, seen->ad.digest);
            }
            if (auto* got = std::get_if<DocumentReceived>(&effect)) received = got->body;
            auto* send = std::get_if<Send>(&effect);
            Frame f;
            if (send == nullptr || send->to == "c") continue;
            REQUIRE(decode_frame(send->frame, f) == FrameFault::none);
            const bool gossip = f.type == FrameType::announce || f.type == FrameType::gossip;
            if (!gossip || now == 0) to.receive(now, name, send->frame);
        }
    };
    for (; now < 8'000; now += 5) {
        a.on_time(now);
        b.on_time(now);
        for (int turn = 0; turn < 4; ++turn) pass(a, "a", b), pass(b, "b", a);
    }
    CHECK(wanted);
    CHECK(received == plan);
    CHECK(b.records().at("c").bytes == "c: known to a only");
}

TEST_CASE("mesh documents: an ad is reported, and again only after a while", "[mesh]") {
    Fixture a;
    const DocumentAd ad{"plan", "dc", 3, sha256("x"), 1};
    CHECK(only<AdSeen>(a.receive("b", announce(ad))).size() == 1);
    CHECK(only<AdSeen>(a.receive("c", announce(ad))).empty());
    a.now += 10'000;
    CHECK(only<AdSeen>(a.receive("c", announce(ad))).size() == 1);
    a.mesh.offer(a.now, ad, "x");
    a.now += 10'000;
    CHECK(only<AdSeen>(a.receive("c", announce(ad))).empty());
    CHECK(a.mesh.offered().size() == 1);
}

TEST_CASE("mesh documents: a body is pulled part by part, and offered parts are served", "[mesh]") {
    Fixture a;
    a.everybody_alive();
    const Bytes body(150'000, 'q');
    const DocumentAd ad{"plan", "dc", 3, sha256(body), body.size()};
    a.receive("b", announce(ad));
    a.mesh.want(a.now, ad.digest);
    std::vector<Effect> all = a.run_for(1);
    std::size_t got = 0;
    for (int turn = 0; turn < 3; ++turn) {
        const auto gets = sent(all, FrameType::document_get, "b");
        REQUIRE(gets.size() == 1);
        CHECK(gets[0].offset == got);
        all = a.receive("b", part_of(ad, body, got, 65'536));
        got += 65'536;
    }
    REQUIRE(only<DocumentReceived>(all).size() == 1);
    CHECK(only<DocumentReceived>(all)[0].body == body);
    a.mesh.offer(a.now, ad, body);
    auto get = frame(FrameType::document_get);
    get.digest = ad.digest;
    get.offset = 131'072;
    const auto parts = sent(a.receive("c", get), FrameType::document_part, "c");
    REQUIRE(parts.size() == 1);
    CHECK(parts[0].bytes.size() == 150'000 - 131'072);
    a.mesh.withdraw(ad.digest);
    const auto none = sent(a.receive("c", get), FrameType::document_part, "c");
    REQUIRE(none.size() == 1);
    CHECK(none[0].bytes.empty());
}

TEST_CASE("mesh documents: a source that lies or falls silent is replaced", "[mesh]") {
    Fixture a;
    a.everybody_alive();
    const Bytes body = "the true plan";
    const DocumentAd ad{"plan", "dc", 3, sha256(body), body.size()};
    const auto lie = GENERATE(true, false);
    CAPTURE(lie);
    a.receive("b", announce(ad));
    a.mesh.want(a.now, ad.digest);
    a.run_for(1);
    if (lie)
        CHECK(only<DocumentReceived>(a.receive("b", part_of(ad, "the fake plan", 0, 99))).empty());
    a.receive("c", announce(ad));
    bool asked_other = false;
    for (int step = 0; step < 400 && !asked_other; ++step) {
        asked_other = !sent(a.run_for(5), FrameType::document_get, "c").empty();
    }
    REQUIRE(asked_other);
    const auto effects = a.receive("c", part_of(ad, body, 0, 99));
    REQUIRE(only<DocumentReceived>(effects).size() == 1);
    CHECK(only<DocumentReceived>(effects)[0].from == "c");
    CHECK(a.mesh.counters().documents_refused == (lie ? 1 : 0));
}

TEST_CASE("mesh documents: what was not asked for is not taken", "[mesh]") {
    Fixture a;
    a.everybody_alive();
    const Bytes body = "unasked";
    const DocumentAd ad{"plan", "dc", 3, sha256(body), body.size()};
    CHECK(only<DocumentReceived>(a.receive("b", part_of(ad, body, 0, 99))).empty());
    a.receive("b", announce(ad));
    a.mesh.want(a.now, ad.digest);
    a.run_for(1);
    CHECK(only<DocumentReceived>(a.receive("d", part_of(ad, body, 0, 99))).empty());
}

}  // namespace clarity::mesh::test
