// Requests to one peer: together when many are under way, at once when few are.
#include "node/swarm/request_batch.hpp"

#include <catch2/catch.hpp>

using clarity::swarm::RequestBatch;

namespace {

constexpr std::size_t message_bytes = 17;

RequestBatch::Request block(std::uint32_t number) {
    return {number / 8, number % 8 * 16384, 16384};
}

/// How many requests were in what was sent.
std::size_t requests_in(const std::string& messages) {
    REQUIRE(messages.size() % message_bytes == 0);
    return messages.size() / message_bytes;
}

}  // namespace

TEST_CASE("request batch: while few blocks are on their way nothing waits") {
    RequestBatch requests;
    for (std::uint32_t i = 0; i < RequestBatch::under_way_min; ++i) {
        CHECK(requests_in(requests.add(block(i))) == 1);
    }
    CHECK(requests.add(block(100)).empty());
}

TEST_CASE("request batch: a message is as BitTorrent has it") {
    RequestBatch requests;
    const std::string expected("\0\0\0\x0d\x06\0\0\0\x02\0\1\0\0\0\0\x40\0", message_bytes);
    CHECK(requests.add({2, 65536, 16384}) == expected);
}

TEST_CASE("request batch: with many on their way they leave by the batch, in order, all of them") {
    RequestBatch requests;
    std::size_t sent = 0;
    std::size_t sendings = 0;
    constexpr std::uint32_t count = 1000;
    for (std::uint32_t i = 0; i < count; ++i) {
        const auto messages = requests.add(block(i));
        sent += requests_in(messages);
        sendings += messages.empty() ? 0 : 1;
    }
    CHECK(sendings < RequestBatch::under_way_min + count / RequestBatch::batch);
    for (std::uint32_t i = 0; i < count; ++i) sent += requests_in(requests.answered());
    CHECK(sent == count);
}

TEST_CASE("request batch: what waits leaves as soon as the peer runs low") {
    RequestBatch requests;
    for (std::uint32_t i = 0; i < RequestBatch::under_way_min + 3; ++i)
        (void)requests.add(block(i));
    CHECK(requests_in(requests.answered()) == 3);
    CHECK(requests.answered().empty());
}

TEST_CASE("request batch: nothing waits for longer than a second, answered or not") {
    RequestBatch requests;
    for (std::uint32_t i = 0; i < RequestBatch::under_way_min + 2; ++i)
        (void)requests.add(block(i));
    CHECK(requests_in(requests.on_second()) == 2);
    CHECK(requests.on_second().empty());
    // The peer forgot them all, as after a choke: they no longer count as on their way.
    CHECK(requests_in(requests.add(block(50))) == 1);
}
