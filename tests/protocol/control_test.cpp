#include <catch2/catch.hpp>

#include "protocol/compression.hpp"
#include "protocol/control.hpp"
#include "protocol/control_words.hpp"
#include "protocol/keys.hpp"
#include "protocol/orders.hpp"
#include "protocol/query.hpp"
#include "protocol/view_table.hpp"

using namespace clarity;
using namespace clarity::control;

TEST_CASE("control: every message comes back as it was sent") {
    Report report;
    report.seq = 7;
    report.digest = ~std::uint64_t{0};
    report.replaced = 5;
    report.changes = {{"s1", "alive", 12, "s2", {1, 9}, "record"}, {"s2", "dead", -1, "", {}, ""}};
    report.gone = {"s3"};
    report.stale = {"s4"};
    const auto back = decode(encode(Message(report)));
    REQUIRE(back);
    const auto* got = std::get_if<Report>(&*back);
    REQUIRE(got != nullptr);
    REQUIRE(got->changes.size() == 2);
    CHECK(got->changes[0].record == "record");
    CHECK(got->changes[0].version == RecordVersion{1, 9});
    CHECK(got->changes[1].age_ms == -1);
    CHECK(got->digest == report.digest);
    CHECK(got->gone == report.gone);
    CHECK(got->stale == report.stale);
    for (const Message& each :
         {Message(Hello{}), Message(Report{}), Message(Fetch{}), Message(OrderResult{}),
          Message(Offer{}), Message(Body{}), Message(Order{}), Message(Ack{}), Message(Ask{})}) {
        const auto again = decode(encode(each));
        REQUIRE(again);
        CHECK(again->index() == each.index());
    }
}

TEST_CASE("control: what is long and alike travels compressed, what is short as it is") {
    Report report;
    for (int i = 0; i < 200; ++i) {
        report.changes.push_back({"server-" + std::to_string(i), "alive", 1, "w", {1, 1}, {}});
    }
    const auto frame = encode(report);
    CHECK(frame.front() == 'z');
    CHECK(frame.size() < 200 * 12);
    CHECK(std::get<Report>(*decode(frame)).changes.size() == 200);
    CHECK(encode(Ask{}).front() == 'q');
    for (std::size_t length = 0; length < frame.size(); length += 7) {
        CHECK_FALSE(decode(std::string_view(frame).substr(0, length)));
    }
    CHECK_FALSE(decode(frame + "x"));
    CHECK_FALSE(decode("z" + frame));  // compressed twice
}

TEST_CASE("control: a frame that unpacks to more than one may hold is refused unread") {
    const auto bomb = 'z' + compression::pack(Bytes(frame_max_bytes + 1, 'r'), control_words);
    CHECK(bomb.size() < 200);
    CHECK_FALSE(decode(bomb));
}

TEST_CASE("control: a quiet site's report and its answer fit the budget of a metered line") {
    Report quiet;
    quiet.seq = 70'000;
    quiet.is_primary = true;
    quiet.digest = ~std::uint64_t{0};
    quiet.at_ms = 1'790'000'000'000;
    quiet.fresh_ms = 4'200;
    CHECK(encode(quiet).size() <= 55);
    Ack plain;
    plain.seq = 70'000;
    plain.at_ms = 1'790'000'000'000;
    plain.offer = ~std::uint64_t{0};
    CHECK(encode(plain).size() <= 45);
    const auto key = SigningKey::generate();
    auto beacon = Envelope::make(payload_type::beacon,
                                 Beacon{"acme/dc-1", 1'790'000'000'000, 41, 3}.encode());
    beacon.sign(key);
    auto news = plain;
    news.beacon = beacon.encode();
    CHECK(encode(news).size() <= 200);  // 96 of them are signature and key id
}

TEST_CASE("control: what is not one whole message within the limits is refused") {
    CHECK_FALSE(decode(""));
    CHECK_FALSE(decode("?"));
    const auto good = encode(Message(Hello{"acme/dc-1", "s1", 1, 2, 3, "0.1.0"}));
    for (std::size_t length = 0; length < good.size(); ++length) {
        CHECK_FALSE(decode(std::string_view(good).substr(0, length)));
    }
    CHECK_FALSE(decode(good + "x"));
    CHECK_FALSE(decode(encode(Message(Body{{}, 10, 5, "x"}))));
    CHECK_FALSE(decode(encode(Message(Body{{}, 0, 1ULL << 40, "x"}))));
    CHECK_FALSE(decode(encode(Message(Offer{"s", std::vector<Ad>(ads_max + 1)}))));
}

TEST_CASE("view table: two tables are equal exactly when their digests are") {
    ViewTable a;
    ViewTable b;
    for (int i = 0; i < 500; ++i) a.set("s" + std::to_string(i), "alive", {1, 1});
    for (int i = 499; i >= 0; --i) b.set("s" + std::to_string(i), "alive", {1, 1});
    CHECK(a.digest() == b.digest());
    const auto same = a.digest();
    b.set("s7", "dead", {1, 1});
    CHECK(a.digest() != b.digest());
    const auto bucket = ViewTable::bucket_of("s7");
    for (std::size_t i = 0; i < ViewTable::buckets_count; ++i) {
        CHECK((a.buckets()[i] == b.buckets()[i]) == (i != bucket));
    }
    b.copy_bucket(a, bucket);
    CHECK(b.digest() == same);
    b.set("s7", "alive", {1, 2});
    CHECK(b.digest() != same);
    b.erase("s7");
    b.set("s7", "alive", {1, 1});
    CHECK(b.digest() == same);
    b.clear_bucket(bucket);
    CHECK(b.find("s7") == nullptr);
    CHECK(b.digest() != same);
}

TEST_CASE("control: a document in parts is put together, also after a cut") {
    const Bytes document(300'000, 'd');
    const Digest digest;
    Assembler whole(digest);
    const auto parts = bodies_of(Fetch{digest, 0, 0}, document);
    REQUIRE(parts.size() == 3);
    REQUIRE_FALSE(whole.add(parts[0])->has_value());
    for (const auto& part : bodies_of(Fetch{digest, whole.next_offset(), 0}, document)) {
        const auto got = whole.add(part);
        REQUIRE(got);
        if (*got) CHECK(**got == document);
    }
    Assembler gap(digest);
    CHECK_FALSE(gap.add(parts[1]));
    Assembler lying(digest);
    CHECK_FALSE(lying.add(Body{digest, 0, document_max + 1, "x"}));
}

TEST_CASE("query: question and answer survive the trip and are told from mesh frames") {
    const auto frame = query::encode(query::Question{"status"});
    CHECK(query::is(query::Channel::question, frame));
    CHECK(query::decode_question(frame)->name == "status");
    CHECK_FALSE(query::decode_question(query::wrap(query::Channel::mesh, "x")));
    CHECK_FALSE(query::decode_question(""));
    CHECK(query::decode_answer(query::encode_answer("{}")).value_or("") == "{}");
    CHECK_FALSE(query::decode_answer(frame));
}
