#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/properties.hpp"
#include "tests/sim/simulator.hpp"

namespace clarity::sim {

struct RunSettings {
    std::size_t nodes = 0;  ///< 0 = as the script has it
    std::uint64_t seed = 1;
    double loss = 0;
    bool hints = false;
    bool story = false;  ///< prints every fault
};

/// What a run that kept all properties was like.
struct Outcome {
    std::uint64_t trace = 0;
    std::uint64_t events = 0;
    std::int64_t virtual_ms = 0;
    std::int64_t healed_ms = 0;  ///< the longest converge()
    std::int64_t slowest_detection_ms = 0;
    std::uint64_t false_deaths = 0;
    double node_hours = 0;
    std::uint64_t most_bytes_per_10s = 0;
    std::uint64_t most_memory = 0;  ///< per node
};

/// A site, its properties, and the dice of the script that plays with it.
struct Run {
    Run(const RunSettings& asked, const SimulatorSettings& simulator, std::string replay)
        : settings(asked),
          sim(simulator),
          props(sim, std::move(replay)),
          dice(mesh::mix(asked.seed, 0x5c217)) {}

    RunSettings settings;
    Simulator sim;
    Properties props;
    mesh::Random dice;
    std::int64_t healed_ms = 0;

    /// Starts everybody and waits until all know all.
    void settle();
    /// Fails the run when this is not so within the time.
    void expect(const std::string& what, const std::function<bool()>& condition,
                std::int64_t limit_ms);
    void converge() { healed_ms = std::max(healed_ms, props.converge()); }
    /// A node that is up and honest; not one of `except`.
    [[nodiscard]] std::size_t somebody(const std::vector<std::size_t>& except = {});
    [[nodiscard]] std::size_t below(std::size_t bound) {
        return static_cast<std::size_t>(dice.below(bound));
    }
    [[nodiscard]] std::int64_t between(std::int64_t low, std::int64_t high) {
        return low +
               static_cast<std::int64_t>(dice.below(static_cast<std::uint64_t>(high - low + 1)));
    }
    [[nodiscard]] bool chance(unsigned percent) { return dice.below(100) < percent; }
};

struct Script {
    std::string name;
    std::string about;
    std::size_t nodes;  ///< unless told otherwise
    std::function<void(Run&)> play;
    /// Changes the simulator's settings first; may be none.
    std::function<void(SimulatorSettings&, mesh::Random&)> prepare;
};

/// Everything there is to play, in the order in which `all` plays it.
[[nodiscard]] const std::vector<Script>& scripts();
[[nodiscard]] const Script* find_script(std::string_view name);
/// Throws Violation, whose message says how to replay.
Outcome play(const Script& script, const RunSettings& settings);

// The parts of scripts().
[[nodiscard]] std::vector<Script> fault_scripts();
[[nodiscard]] std::vector<Script> byzantine_scripts();
/// Swarm testing (Groce et al., ISSTA 2012): each seed draws a size, a network, a subset of the
/// faults and a schedule.
[[nodiscard]] Script swarm_script();

}  // namespace clarity::sim
