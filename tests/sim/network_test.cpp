// The simulator's own parts: the event queue, the network, machines, what it measures.
#include <catch2/catch.hpp>

#include "tests/sim/calendar_queue.hpp"
#include "tests/sim/network.hpp"
#include "tests/sim/simulator.hpp"
#include "tests/sim/wire_meter.hpp"

using clarity::mesh::State;
using clarity::sim::CalendarQueue;
using clarity::sim::Network;
using clarity::sim::NetworkSettings;
using clarity::sim::Simulator;
using clarity::sim::SimulatorSettings;
using clarity::sim::WireMeter;

TEST_CASE("calendar queue: events come by time, and in the order of pushing within one", "[sim]") {
    CalendarQueue<int> queue(100);
    queue.push(50'000, 5);  // beyond the ring: kept elsewhere until its time
    queue.push(105, 1);
    queue.push(105, 2);
    queue.push(9'000, 4);
    queue.push(7, 0);  // the past is now
    std::vector<std::pair<std::int64_t, int>> seen;
    std::int64_t at = 0;
    int event = 0;
    while (queue.pop(49'999, at, event)) {
        seen.emplace_back(at, event);
        if (event == 1) queue.push(105, 3);  // while its millisecond is being handled
        if (event == 4) queue.push(50'000, 6);
    }
    CHECK(queue.size() == 2);
    while (queue.pop(60'000, at, event)) seen.emplace_back(at, event);
    CHECK(seen ==
          std::vector<std::pair<std::int64_t, int>>{
              {100, 0}, {105, 1}, {105, 2}, {105, 3}, {9'000, 4}, {50'000, 5}, {50'000, 6}});
}

TEST_CASE("network: partitions, one-way cuts, mute and deaf nodes let through what they should",
          "[sim]") {
    Network network({}, 4, 1);
    network.cut(0, 1);
    CHECK_FALSE(network.passes(0, 1));
    CHECK(network.passes(1, 0));
    network.set_mute(2, true);
    CHECK_FALSE(network.passes(2, 3));
    CHECK(network.passes(3, 2));
    network.set_deaf(3, true);
    CHECK_FALSE(network.passes(0, 3));
    CHECK(network.passes(3, 0));
    network.partition(1'000, {0, 0, 1, 1});
    CHECK_FALSE(network.passes(0, 2));
    CHECK(network.separated(1'000, 0, 0, 2));
    CHECK(network.separated(1'999, 1'000, 0, 1));  // nobody has found its new peers yet
    network.heal(5'000);
    CHECK(network.passes(0, 1));
    CHECK(network.passes(2, 3));
    CHECK(network.separated(5'999, 1'000, 0, 2));  // a moment ago
    CHECK_FALSE(network.separated(6'000, 1'000, 0, 2));
    CHECK_FALSE(network.separated(5'000, 1'000, 0, 1));
}

TEST_CASE("network: frames are lost, doubled and delayed as often as asked", "[sim]") {
    NetworkSettings settings;
    settings.loss = 0.2;
    settings.duplicates = 0.1;
    settings.delay_min_ms = 3;
    settings.delay_spread_ms = 4;
    Network network(settings, 2, 7);
    int lost = 0;
    int doubled = 0;
    for (int n = 0; n < 10'000; ++n) {
        const auto arrivals = network.carry(1'000, 0, 1);
        if (arrivals.count == 0) ++lost;
        if (arrivals.count == 2) ++doubled;
        for (std::size_t copy = 0; copy < arrivals.count; ++copy) {
            REQUIRE(arrivals.at_ms[copy] >= 1'003);
            REQUIRE(arrivals.at_ms[copy] <= 1'007);
        }
    }
    CHECK(lost == Approx(2'000).margin(150));
    CHECK(doubled == Approx(800).margin(120));
}

TEST_CASE("wire meter: headers, segments, and ACKs that ride on the answer or travel alone",
          "[sim]") {
    WireMeter meter;
    meter.add(1'000, 0, 1, 100);
    CHECK(meter.bytes() == 100 + 35 + 66 + 66);  // the ACK is still owed
    meter.add(1'010, 1, 0, 50);                  // carries it
    CHECK(meter.bytes() == 100 + 35 + 66 + 50 + 35 + 66 + 66);
    WireMeter large;
    large.add(0, 0, 1, 2'000);
    CHECK(large.bytes() == 2'000 + 35 + 2 * 66 + 66);
    CHECK(large.payload() == 2'000);
}

TEST_CASE("simulator: a frozen node hears everything when it goes on, a slow one hears it late",
          "[sim]") {
    SimulatorSettings settings;
    settings.nodes = 8;
    Simulator sim(settings);
    sim.start_all();
    REQUIRE(sim.run_until([&] { return sim.all_see_all_alive(); }, 10'000));
    sim.run_for(3'000);
    sim.freeze(3, 1'000);
    sim.update_record(0, 9);
    sim.run_for(900);
    CHECK(sim.payload_at(3, 0) == 0);
    CHECK(sim.payload_at(4, 0) == 9);
    sim.run_for(200);
    CHECK(sim.payload_at(3, 0) == 9);
    sim.slow_down(3, 400);
    sim.update_record(0, 10);
    sim.run_for(390);
    CHECK(sim.payload_at(3, 0) == 9);
    CHECK(sim.run_until([&] { return sim.payload_at(3, 0) == 10; }, 800));
}

TEST_CASE("simulator: a warm start is a site where all see all", "[sim]") {
    SimulatorSettings settings;
    settings.nodes = 300;
    settings.record_owners = 8;
    Simulator sim(settings);
    sim.warm_start();
    sim.run_for(10);
    CHECK(sim.all_see_all_alive());
    sim.run_for(5'000);
    CHECK(sim.all_see_all_alive());
    CHECK(sim.node(299).mesh->records().size() == 8);
}
