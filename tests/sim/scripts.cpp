#include "tests/sim/scripts.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace clarity::sim {

void Run::settle() {
    sim.start_all();
    const auto loss = sim.settings().network.loss;
    if (loss > 0.02) return sim.run_for(10'000);  // somebody is always suspected
    expect(
        "all see all alive", [&] { return sim.all_see_all_alive(); }, 20'000);
    sim.run_for(props.bounds.grace_ms);
}

void Run::expect(const std::string& what, const std::function<bool()>& condition,
                 std::int64_t limit_ms) {
    if (!sim.run_until(condition, limit_ms, sim.size() > 256 ? 50 : 10)) {
        props.fail(fmt::format("not within {} ms: {}", limit_ms, what));
    }
}

std::size_t Run::somebody(const std::vector<std::size_t>& except) {
    for (;;) {
        const auto i = below(sim.size());
        const bool excluded = std::find(except.begin(), except.end(), i) != except.end();
        if (!excluded && sim.up(i) && sim.honest(i)) return i;
    }
}

const std::vector<Script>& scripts() {
    static const auto all = [] {
        auto out = fault_scripts();
        for (auto& script : byzantine_scripts()) out.push_back(std::move(script));
        out.push_back(swarm_script());
        return out;
    }();
    return all;
}

const Script* find_script(std::string_view name) {
    for (const auto& script : scripts()) {
        if (script.name == name) return &script;
    }
    return nullptr;
}

Outcome play(const Script& script, const RunSettings& settings) {
    SimulatorSettings simulator;
    simulator.seed = settings.seed;
    simulator.nodes = settings.nodes != 0 ? settings.nodes : script.nodes;
    simulator.network.loss = settings.loss;
    simulator.hints = settings.hints;
    mesh::Random dice(mesh::mix(settings.seed, 0xd1ce));
    if (script.prepare) script.prepare(simulator, dice);
    if (settings.nodes != 0) simulator.nodes = settings.nodes;
    auto replay = fmt::format("sim_mesh --script {} --seed {}", script.name, settings.seed);
    if (settings.nodes != 0) replay += fmt::format(" --nodes {}", settings.nodes);
    if (settings.loss > 0) replay += fmt::format(" --loss {}", settings.loss);
    if (settings.hints) replay += " --hints";
    Run run(settings, simulator, std::move(replay));
    if (settings.story) {
        run.sim.narrator = [](std::int64_t now_ms, const std::string& what) {
            fmt::print("{:10.3f} s  {}\n", static_cast<double>(now_ms) / 1000, what);
        };
    }
    script.play(run);
    run.props.finish();
    Outcome out;
    out.trace = run.sim.trace();
    out.events = run.sim.events();
    out.virtual_ms = run.sim.now_ms();
    out.healed_ms = run.healed_ms;
    for (const auto took : run.props.detections()) {
        out.slowest_detection_ms = std::max(out.slowest_detection_ms, took);
    }
    out.false_deaths = run.props.false_deaths();
    out.node_hours = run.props.node_hours();
    out.most_bytes_per_10s = run.props.most_bytes_per_10s();
    out.most_memory = run.props.most_memory();
    return out;
}

}  // namespace clarity::sim
