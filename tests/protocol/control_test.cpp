#include <catch2/catch.hpp>

#include "protocol/control.hpp"
#include "protocol/query.hpp"

using namespace clarity;
using namespace clarity::control;

TEST_CASE("control: every message comes back as it was sent") {
    Report report{"acme/dc-1", {{"s1", "alive", 12, "s2", "record"}, {"s2", "dead", -1, "", ""}}};
    const auto back = decode(encode(Message(report)));
    REQUIRE(back);
    const auto* got = std::get_if<Report>(&*back);
    REQUIRE(got != nullptr);
    REQUIRE(got->views.size() == 2);
    CHECK(got->views[0].record == "record");
    CHECK(got->views[1].age_ms == -1);
    for (const Message& each : {Message(Hello{}), Message(Fetch{}), Message(OrderResult{}),
                                Message(Offer{}), Message(Body{}), Message(Order{})}) {
        const auto again = decode(encode(each));
        REQUIRE(again);
        CHECK(again->index() == each.index());
    }
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

TEST_CASE("control: a large site's report takes several frames, none over the limit") {
    std::vector<View> views;
    for (int i = 0; i < 20; ++i) {
        views.push_back({"server-" + std::to_string(i), "alive", 1, "w", Bytes(50'000, 'r')});
    }
    const auto frames = encode_report("acme/dc-1", views);
    std::size_t seen = 0;
    for (const auto& frame : frames) {
        CHECK(frame.size() <= frame_max_bytes);
        const auto part = decode(frame);
        REQUIRE(part);
        seen += std::get<Report>(*part).views.size();
    }
    CHECK(frames.size() > 1);
    CHECK(seen == views.size());
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
