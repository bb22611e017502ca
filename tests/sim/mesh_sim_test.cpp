// Real Mesh objects on a virtual clock and a seeded, lossy network. CAPTURE prints what replays a
// failure: `sim_mesh --nodes N --seed S --loss P`, or the test itself.
#include <catch2/catch.hpp>

#include "protocol/mesh/frame.hpp"
#include "protocol/mesh/site.hpp"
#include "tests/sim/simulator.hpp"

using clarity::Bytes;
using clarity::mesh::State;
using clarity::sim::Simulator;
using clarity::sim::SimulatorSettings;

namespace {

SimulatorSettings site(std::size_t nodes, std::uint64_t seed, double loss = 0) {
    SimulatorSettings s;
    s.nodes = nodes;
    s.seed = seed;
    s.network.loss = loss;
    return s;
}

/// A site that has settled.
struct Settled : Simulator {
    explicit Settled(const SimulatorSettings& settings) : Simulator(settings) {
        start_all();
        REQUIRE(run_until([&] { return all_see_all_alive(); }, 30'000));
        run_for(3'000);
    }
};

}  // namespace

TEST_CASE("mesh sim: a cold start ends with everybody seeing everybody and every record",
          "[mesh][sim]") {
    const auto nodes = GENERATE(2, 3, 16, 64);
    const auto loss = GENERATE(0.0, 0.3);
    const auto seed = GENERATE(range(1, 4));
    CAPTURE(nodes, loss, seed);
    auto settings = site(static_cast<std::size_t>(nodes), static_cast<std::uint64_t>(seed), loss);
    settings.network.duplicates = 0.05;
    Simulator sim(settings);
    sim.start_all();
    const auto took = sim.run_until(
        [&] {
            for (std::size_t i = 0; i < sim.size(); ++i) {
                if (sim.node(i).mesh->records().size() != sim.size()) return false;
                for (std::size_t other = 0; other < sim.size(); ++other) {
                    // At 30 % loss somebody is always suspected by somebody.
                    const auto state = sim.state_at(i, other);
                    if (state != State::alive && (loss == 0.0 || state != State::suspect)) {
                        return false;
                    }
                }
            }
            return true;
        },
        loss == 0.0 ? 2'000 : 20'000);
    REQUIRE(took);
}

TEST_CASE("mesh sim: an update reaches 16 nodes within 0.3 s and 64 within 0.6 s", "[mesh][sim]") {
    const auto nodes = GENERATE(16, 64);
    const auto seed = GENERATE(range(1, 11));
    CAPTURE(nodes, seed);
    Settled sim(site(static_cast<std::size_t>(nodes), static_cast<std::uint64_t>(seed)));
    const auto limit_ms = nodes == 16 ? 300 : 600;
    sim.update_record(3, 77);
    CHECK(sim.run_until([&] { return sim.all_have_record(3, 77); }, limit_ms));
    const auto plan = sim.publish(5, "small plan");
    CHECK(sim.run_until([&] { return sim.all_have_document(plan); }, limit_ms));
}

TEST_CASE("mesh sim: a plan offered by one node reaches every node despite packet loss",
          "[mesh][sim]") {
    const auto loss = GENERATE(0.0, 0.3, 0.6);
    const auto seed = GENERATE(range(1, 6));
    CAPTURE(loss, seed);
    Settled sim(site(32, static_cast<std::uint64_t>(seed)));
    sim.network().settings.loss = loss;
    const auto plan = sim.publish(0, std::string(200'000, 'p'));
    CHECK(sim.run_until([&] { return sim.all_have_document(plan); }, loss == 0.0  ? 1'000
                                                                     : loss < 0.5 ? 10'000
                                                                                  : 60'000));
}

TEST_CASE("mesh sim: a killed node is seen dead by all within about six seconds", "[mesh][sim]") {
    const auto nodes = GENERATE(4, 16, 64);
    const auto hints = GENERATE(false, true);
    const auto seed = GENERATE(range(1, 11));
    CAPTURE(nodes, hints, seed);
    auto settings = site(static_cast<std::size_t>(nodes), static_cast<std::uint64_t>(seed));
    settings.hints = hints;
    Settled sim(settings);
    sim.crash(1);
    CHECK(sim.run_until([&] { return sim.all_see(1, State::dead); }, hints ? 4'000 : 6'500));
    for (std::size_t i = 2; i < sim.size(); ++i) CHECK(sim.all_see(i, State::alive));
}

TEST_CASE("mesh sim: nobody is buried by mistake at ten percent loss", "[mesh][sim]") {
    const auto seed = GENERATE(range(1, 4));
    CAPTURE(seed);
    Settled sim(site(32, static_cast<std::uint64_t>(seed), 0.1));
    for (int second = 0; second < 60; ++second) {
        sim.run_for(1'000);
        for (std::size_t i = 0; i < sim.size(); ++i) REQUIRE_FALSE(sim.all_see(i, State::dead));
    }
    CHECK(sim.run_until([&] { return sim.all_see_all_alive(); }, 10'000));
}

TEST_CASE("mesh sim: a node cut off for a moment refutes and is alive everywhere again",
          "[mesh][sim]") {
    const auto seed = GENERATE(range(1, 6));
    CAPTURE(seed);
    Settled sim(site(16, static_cast<std::uint64_t>(seed)));
    const auto before = sim.node(4).mesh->incarnation();
    std::vector<int> groups(16, 0);
    groups[4] = 1;
    sim.partition(groups);
    REQUIRE(sim.run_until([&] { return sim.state_at(0, 4) == State::suspect; }, 10'000));
    sim.partition({});
    REQUIRE(sim.run_until([&] { return sim.all_see_all_alive(); }, 10'000));
    CHECK(sim.node(4).mesh->incarnation() > before);
    CHECK(sim.node(4).disk.incarnation == sim.node(4).mesh->incarnation());
}

TEST_CASE("mesh sim: a partition heals by itself, both ways and with what was missed",
          "[mesh][sim]") {
    const auto seed = GENERATE(range(1, 6));
    const auto loss = GENERATE(0.0, 0.2);
    CAPTURE(seed, loss);
    Settled sim(site(32, static_cast<std::uint64_t>(seed), loss));
    std::vector<int> groups(32, 0);
    for (std::size_t i = 0; i < 12; ++i) groups[i] = 1;
    sim.partition(groups);
    sim.run_for(120'000);
    CHECK(sim.state_at(0, 31) == State::dead);
    CHECK(sim.state_at(31, 0) == State::dead);
    sim.update_record(0, 5);
    const auto plan = sim.publish(31, "made during the partition");
    sim.partition({});
    CHECK(sim.run_until(
        [&] {
            return sim.all_see_all_alive() && sim.all_have_record(0, 5) &&
                   sim.all_have_document(plan);
        },
        30'000));
}

TEST_CASE("mesh sim: a node that comes back after its burial is alive again", "[mesh][sim]") {
    const auto lost_disk = GENERATE(false, true);
    const auto seed = GENERATE(range(1, 6));
    CAPTURE(lost_disk, seed);
    Settled sim(site(16, static_cast<std::uint64_t>(seed)));
    for (std::uint64_t payload = 1; payload <= 9; ++payload) sim.update_record(7, payload);
    sim.run_for(1'000);
    // Three lives, so that a lost disk starts well below what the peers know.
    for (int life = 0; life < 3; ++life) {
        sim.restart(7);
        sim.run_for(2'000);
    }
    sim.crash(7);
    REQUIRE(sim.run_until([&] { return sim.all_see(7, State::dead); }, 10'000));
    sim.node(7).payload = 99;
    sim.restart(7, lost_disk);
    CHECK(sim.run_until([&] { return sim.all_see(7, State::alive); }, 10'000));
    CHECK(sim.run_until([&] { return sim.all_have_record(7, 99); }, 10'000));
    CHECK((sim.node(7).jumps > 0) == lost_disk);
    CHECK(sim.node(7).mesh->incarnation() >= 4);
}

TEST_CASE("mesh sim: a forged record is refused by everybody", "[mesh][sim]") {
    Settled sim(site(8, 3));
    const auto good = *sim.node(0).mesh->records().find("n00005");
    // Node 2 turns bad and pushes a newer record of node 5 that node 5 has not signed.
    clarity::mesh::Frame frame;
    frame.type = clarity::mesh::FrameType::records;
    frame.site = clarity::mesh::site_hash("acme/dc-1");
    frame.incarnation = sim.node(2).mesh->incarnation();
    frame.bodies.push_back(
        {clarity::mesh::key_of("n00005"), {good.version.incarnation, 1'000}, Bytes(good.bytes)});
    for (std::size_t to = 0; to < sim.size(); ++to) {
        if (to != 2) sim.inject(2, to, clarity::mesh::encode_frame(frame));
    }
    sim.run_for(5'000);
    CHECK(sim.total().records_refused == 7);
    for (std::size_t i = 0; i < sim.size(); ++i) {
        CHECK(sim.node(i).mesh->records().at("n00005").version == good.version);
    }
    CHECK(sim.node(5).jumps == 0);  // what it has not signed cannot make it jump
}

TEST_CASE("mesh sim: two records of one version are reported and the first is kept",
          "[mesh][sim]") {
    Settled sim(site(8, 6));
    const auto good = *sim.node(0).mesh->records().find("n00005");
    clarity::mesh::Frame frame;
    frame.type = clarity::mesh::FrameType::records;
    frame.site = clarity::mesh::site_hash("acme/dc-1");
    frame.incarnation = sim.node(2).mesh->incarnation();
    frame.bodies.push_back({clarity::mesh::key_of("n00005"), good.version,
                            Simulator::signed_record("n00005", good.version, 666, 100)});
    const auto bytes = clarity::mesh::encode_frame(frame);
    sim.inject(2, 0, bytes);
    sim.inject(2, 0, bytes);
    sim.run_for(2'000);
    REQUIRE(sim.node(0).equivocations.size() == 1);
    CHECK(sim.node(0).equivocations[0].owner == "n00005");
    CHECK(sim.node(0).equivocations[0].from == "n00002");
    CHECK(sim.node(0).mesh->records().at("n00005").bytes == good.bytes);
    // The owner itself, shown its own signature under other bytes, goes above both.
    sim.inject(2, 5, bytes);
    CHECK(sim.run_until(
        [&] { return sim.node(0).mesh->records().at("n00005").version > good.version; }, 5'000));
    CHECK(sim.node(5).jumps == 1);
}

TEST_CASE("mesh sim: two sites that reach each other by mistake never merge", "[mesh][sim]") {
    auto settings = site(12, 4);
    settings.site_of = [](std::size_t i) { return i < 6 ? "acme/dc-1" : "acme/dc-2"; };
    Simulator sim(settings);  // the roster even names all twelve
    sim.start_all();
    sim.update_record(0, 1);
    sim.update_record(11, 2);
    const auto plan = sim.publish(0, "for dc-1 only");
    sim.run_for(30'000);
    for (std::size_t i = 0; i < 12; ++i) {
        for (std::size_t other = 0; other < 12; ++other) {
            if (i == other) continue;
            const bool same = (i < 6) == (other < 6);
            CHECK(sim.state_at(i, other) == (same ? State::alive : State::unknown));
            CHECK((sim.payload_at(i, other) != 0) == (same && (other == 0 || other == 11)));
        }
        CHECK(sim.node(i).disk.documents.contains(plan) == (i < 6));
    }
    CHECK(sim.total().dropped_site > 0);
}

TEST_CASE("mesh sim: who leaves is gone at once for its peers, and then for all", "[mesh][sim]") {
    Settled sim(site(16, 9));
    const auto peers = sim.node(3).mesh->active_peers().size();
    sim.leave(3);
    CHECK(sim.run_until([&] { return sim.views().count(3, State::left) >= peers; }, 100));
    const auto gone = [&] {
        return sim.views().count(3, State::left) + sim.views().count(3, State::dead) == 15;
    };
    CHECK(sim.run_until(gone, 4'000));
    sim.run_for(20'000);
    CHECK(gone());
    sim.restart(3);
    CHECK(sim.run_until([&] { return sim.all_see(3, State::alive); }, 10'000));
}

TEST_CASE("mesh sim: a roster that drops a node silences it, and takes it back", "[mesh][sim]") {
    Settled sim(site(8, 2));
    sim.set_roster({0, 1, 2, 3, 4, 5, 6});
    sim.run_for(5'000);
    CHECK(sim.node(0).mesh->members().size() == 7);
    CHECK(sim.node(0).mesh->records().size() == 7);
    sim.update_record(0, 8);
    sim.run_for(3'000);
    CHECK(sim.payload_at(7, 0) == 0);  // revoked: it forgets, and nobody tells it anything
    sim.set_roster({0, 1, 2, 3, 4, 5, 6, 7});
    CHECK(sim.run_until([&] { return sim.all_see_all_alive() && sim.all_have_record(0, 8); },
                        10'000));
}

TEST_CASE("mesh sim: a pull long after the one before is not taken for a sleep", "[mesh][sim]") {
    auto settings = site(12, 5);
    settings.record_bytes = 20'000;  // announced, then pulled
    Settled sim(settings);
    sim.run_for(30'000);
    sim.update_record(3, 1);
    const auto document = sim.publish(4, "a document");
    REQUIRE(sim.run_until(
        [&] { return sim.all_have_record(3, 1) && sim.all_have_document(document); }, 2'000));
    CHECK(sim.total().local_health == 0);
}

TEST_CASE("mesh sim: who asks for everything again and again is answered within a budget",
          "[mesh][sim]") {
    auto settings = site(16, 7);
    settings.record_bytes = 30'000;
    Settled sim(settings);
    clarity::mesh::Frame frame;
    frame.type = clarity::mesh::FrameType::record_get;
    frame.site = clarity::mesh::site_hash("acme/dc-1");
    frame.incarnation = sim.node(2).mesh->incarnation();
    for (std::size_t i = 0; i < sim.size(); ++i) {
        frame.owners.push_back(clarity::mesh::key_of(sim.node(i).id));
    }
    const auto before = sim.node(0).bytes_sent;
    for (int n = 0; n < 200; ++n) sim.inject(2, 0, clarity::mesh::encode_frame(frame));
    sim.run_for(500);
    CHECK(sim.node(0).bytes_sent - before < (1U << 20) + 500'000);  // at most one answer over it
    CHECK(sim.node(0).mesh->counters().answers_refused > 150);
    sim.update_record(5, 77);  // nobody else notices
    CHECK(sim.run_until([&] { return sim.payload_at(0, 5) == 77; }, 500));
}

TEST_CASE("mesh sim: who stood still sees a death soon after, however much waited for it",
          "[mesh][sim]") {
    Settled sim(site(16, 8));
    sim.crash(3);
    REQUIRE(sim.run_until([&] { return sim.state_at(5, 3) == State::suspect; }, 5'000));
    sim.freeze(5, 20'000);
    sim.run_for(10'000);
    for (int n = 0; n < 20; ++n) {  // every frame finds it late: it slept once all the same
        sim.update_record(7, static_cast<std::uint64_t>(n));
        sim.run_for(500);
    }
    CHECK(sim.run_until([&] { return sim.state_at(5, 3) == State::dead; }, 9'000));
}
