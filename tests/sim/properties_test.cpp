// The properties can fail: each is shown what it forbids. And the scripts keep them.
#include <catch2/catch.hpp>

#include "tests/sim/byzantine.hpp"
#include "tests/sim/scripts.hpp"

using clarity::RecordVersion;
using clarity::mesh::State;
using clarity::sim::Properties;
using clarity::sim::Simulator;
using clarity::sim::SimulatorSettings;
using clarity::sim::Violation;

namespace {

struct Site {
    Simulator sim;
    Properties props;

    Site() : sim(settings()), props(sim, "nothing") {
        sim.start_all();
        REQUIRE(sim.run_until([&] { return sim.all_see_all_alive(); }, 10'000));
        sim.run_for(props.bounds.grace_ms);
    }
    static SimulatorSettings settings() {
        SimulatorSettings out;
        out.nodes = 8;
        return out;
    }
    clarity::mesh::RecordReceived record(std::size_t owner, RecordVersion version,
                                         std::uint64_t payload) {
        const auto& id = sim.node(owner).id;
        clarity::mesh::StoredRecord stored;
        stored.version = version;
        stored.bytes = Simulator::signed_record(id, version, payload, 100);
        return {id, version, std::make_shared<const clarity::mesh::StoredRecord>(stored)};
    }
};

}  // namespace

TEST_CASE("properties: a record that its owner has not signed is noticed", "[sim]") {
    Site site;
    auto forged = site.record(2, {1, 99}, 666);
    CHECK_THROWS_AS(site.props.record_received(1, forged), Violation);
    site.props.record_signed(2, {1, 99}, forged.record->bytes);
    site.props.record_received(1, forged);  // now it is genuine
    const auto older = site.record(2, {1, 50}, 1);
    site.props.record_signed(2, {1, 50}, older.record->bytes);
    CHECK_THROWS_AS(site.props.record_received(1, older), Violation);  // but versions only rise
}

TEST_CASE("properties: an incarnation or plan that goes back is noticed", "[sim]") {
    Site site;
    site.props.incarnation_stored(3, 7);
    CHECK_THROWS_AS(site.props.incarnation_stored(3, 7), Violation);
    site.props.plan_in_force(3, 0, 5);
    CHECK_THROWS_AS(site.props.plan_in_force(3, 5, 5), Violation);
    CHECK_THROWS_AS(site.props.plan_in_force(3, 5, 4), Violation);
    site.sim.node(3).disk.incarnation = 0;
    CHECK_THROWS_AS(site.props.acted(3), Violation);  // used before it was stored
}

TEST_CASE("properties: false deaths, returns of the dead and missed crashes are noticed", "[sim]") {
    Site site;
    SECTION("a healthy node held for dead") {
        CHECK_THROWS_AS(site.props.state_changed(1, 2, State::suspect, State::dead), Violation);
    }
    SECTION("but not one that stood still") {
        site.sim.freeze(2, 5'000);
        site.props.state_changed(1, 2, State::suspect, State::dead);
    }
    SECTION("nor by one that is deaf") {
        site.sim.isolate(1, false, true);
        site.props.state_changed(1, 2, State::suspect, State::dead);
    }
    SECTION("nor across a partition") {
        site.sim.partition({0, 0, 1, 1, 1, 1, 1, 1});
        site.sim.run_for(site.props.bounds.grace_ms);
        site.props.state_changed(1, 2, State::suspect, State::dead);
        CHECK_THROWS_AS(site.props.state_changed(3, 2, State::suspect, State::dead), Violation);
    }
    SECTION("the dead returns") {
        site.sim.crash(2);
        site.sim.run_for(15'000);
        CHECK_THROWS_AS(site.props.state_changed(1, 2, State::dead, State::alive), Violation);
    }
    SECTION("a crash that is not seen in time") {
        site.props.bounds.detect_ms = 1'000;
        site.sim.crash(2);
        CHECK_THROWS_AS(site.sim.run_for(3'000), Violation);
    }
    SECTION("somebody whom the roster does not name") {
        site.sim.set_roster({0, 1, 3, 4, 5, 6, 7});
        CHECK_THROWS_AS(site.props.state_changed(1, 2, State::unknown, State::alive), Violation);
    }
}

TEST_CASE("properties: too many bytes, and nodes that do not agree, are noticed", "[sim]") {
    Site site;
    SECTION("bytes") {
        site.sim.node(4).bytes_sent += 100'000'000;
        CHECK_THROWS_AS(site.sim.run_for(11'000), Violation);
    }
    SECTION("a node that does not have what the others have") {
        site.props.bounds.heal_ms = 2'000;
        site.sim.publish_plan(0, 3, 100);
        site.sim.run_for(1'000);
        site.sim.node(5).disk.plan_seq = 2;
        CHECK_THROWS_AS(site.props.converge(), Violation);
    }
}

TEST_CASE("simulation: every script keeps all properties", "[sim]") {
    const auto seed = GENERATE(range(1, 3));
    const auto hints = GENERATE(false, true);
    for (const auto& script : clarity::sim::scripts()) {
        if (script.name == "swarm") continue;
        clarity::sim::RunSettings settings;
        settings.seed = static_cast<std::uint64_t>(seed);
        settings.hints = hints;
        try {
            clarity::sim::play(script, settings);
        } catch (const Violation& violation) {
            FAIL_CHECK(script.name << " " << violation.what());
        }
    }
}

TEST_CASE("simulation: the same seed gives the same trace, another seed another", "[sim]") {
    for (const auto* name : {"partition", "byz-gang", "swarm"}) {
        const auto& script = *clarity::sim::find_script(name);
        clarity::sim::RunSettings settings;
        settings.seed = 11;
        const auto once = clarity::sim::play(script, settings);
        const auto again = clarity::sim::play(script, settings);
        CHECK(once.trace == again.trace);
        CHECK(once.events == again.events);
        settings.seed = 12;
        CHECK(clarity::sim::play(script, settings).trace != once.trace);
    }
}
