// What an idle node costs on the wire, and what a document does. Everything is counted: frames,
// Ethernet, IP, TCP, CURVE, and TCP's acknowledgements.
#include <catch2/catch.hpp>

#include "tests/protocol/mesh/cluster.hpp"

namespace clarity::mesh::test {
namespace {

constexpr double limit_kbit_s = 8;

double kbit_s(std::uint64_t bytes, std::int64_t ms) {
    return static_cast<double>(bytes) * 8 / static_cast<double>(ms);
}

}  // namespace

TEST_CASE("mesh budget: an idle node sends at most 8 kbit/s, headers included", "[mesh]") {
    const auto size = static_cast<std::size_t>(GENERATE(2, 16, 64));
    CAPTURE(size);
    Cluster cluster(size);
    cluster.run_for(10'000);
    const auto exchanges = cluster.total().exchanges;
    const auto before = cluster.wire_bytes;
    const std::int64_t period_ms = 20'000;
    cluster.run_for(period_ms);
    double worst = 0;
    for (Index i = 0; i < size; ++i) {
        worst = std::max(worst, kbit_s(cluster.wire_bytes[i] - before[i], period_ms));
    }
    CAPTURE(worst);
    CHECK(worst <= limit_kbit_s);
    CHECK(worst > 4);                               // or nothing was measured
    CHECK(cluster.total().exchanges == exchanges);  // equal sites say nothing else
}

// Method: one mesh; the test plays the others, which answer, and probe it twice a second with as
// much evidence as a frame carries.
TEST_CASE("mesh budget: what an idle node sends does not grow with the site", "[mesh]") {
    const auto size = static_cast<std::size_t>(GENERATE(64, 1'024, 10'000));
    CAPTURE(size);
    std::vector<std::string> ids;
    for (std::size_t i = 0; i < size; ++i) ids.push_back(fmt::format("n{:05}", i));
    const auto roll = Roll::make(ids);
    Mesh mesh(settings(ids[0]), 70'000);
    mesh.set_members(0, roll);
    const auto play = [&](std::int64_t now, const std::string& from, FrameType type,
                          const Frame& like) {
        auto f = frame(type, 70'000);
        f.sequence = like.sequence;
        f.root = like.root;
        Random random(static_cast<std::uint64_t>(now) + like.sequence);
        for (int n = 0; n < 8; ++n) {
            f.heard.push_back({roll->key(static_cast<Index>(random.below(size))),
                               random.below(60'000), roll->key(1)});
        }
        mesh.receive(now, from, encode_frame(std::move(f), roll.get()));
    };
    for (std::size_t i = 1; i < size; ++i) play(0, ids[i], FrameType::gossip, Frame{});
    std::int64_t now = 0;
    std::uint64_t wire_bytes = 0;
    Frame last;
    const auto run = [&](std::int64_t until) {
        for (; now < until; ++now) {
            if (now % 500 == 7) {
                const auto peers = mesh.active_peers();
                Frame probe;
                probe.sequence = 80'000;
                probe.root = last.root;
                play(now, peers[static_cast<std::size_t>(now / 500) % peers.size()],
                     FrameType::ping, probe);
            }
            mesh.on_time(now);
            for (const auto& send : only<Send>(mesh.take_effects())) {
                wire_bytes += send.frame.size() + Cluster::overhead_bytes;
                Frame f;
                REQUIRE(decode_frame(send.frame, f, roll.get()) == FrameFault::none);
                if (f.root != 0) last = f;
                if (f.type != FrameType::ping) continue;
                wire_bytes += Cluster::ack_bytes;
                play(now, send.to, FrameType::ack, f);
            }
        }
    };
    run(60'000);
    wire_bytes = 0;
    run(120'000);
    const auto rate = kbit_s(wire_bytes, 60'000);
    CAPTURE(rate);
    CHECK(rate <= limit_kbit_s);
    CHECK(rate > 4);
    CHECK(last.heard.size() == 8);
}

TEST_CASE("mesh budget: a document's body reaches everybody, and nobody twice", "[mesh]") {
    const auto size = static_cast<std::size_t>(GENERATE(2, 16, 60));
    const auto bytes = static_cast<std::size_t>(GENERATE(100, 16'384, 300'000));
    CAPTURE(size, bytes);
    Cluster cluster(size);
    cluster.run_for(3'000);
    const Bytes body(bytes, 'p');
    cluster.nodes[1]->offer(cluster.now, {"plan", "dc", 1, sha256(body), bytes}, body);
    cluster.take(1);
    cluster.run_for(1'500);
    for (const auto& node : cluster.nodes) CHECK(node->offered().size() == 1);
    const auto parts = (bytes + 65'535) / 65'536;
    CHECK(cluster.total().document_parts == (size - 1) * parts);
    CHECK(cluster.total().document_parts_duplicate == 0);
}

}  // namespace clarity::mesh::test
