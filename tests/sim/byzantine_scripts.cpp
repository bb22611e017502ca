// Scripts with malicious members: the harm that they do is bounded.
#include <fmt/format.h>

#include "tests/sim/byzantine.hpp"
#include "tests/sim/scripts.hpp"

namespace clarity::sim {
namespace {

using mesh::State;

/// One malicious member among well ones, who go on with their lives: a record, a plan, a crash, a
/// return. Nobody healthy dies, everything arrives, and the dead are seen to be dead.
void insider(Run& run, Malice malice) {
    auto& sim = run.sim;
    if (malice == Malice::ghost) {
        run.props.bounds.ghosts = true;
        run.props.bounds.detect_ms = 15'000;
    }
    run.props.bounds.accusers = malice == Malice::accuse;
    if (malice == Malice::flood) run.props.bounds.bytes_per_10s = 12U << 20;
    run.settle();
    const auto bad = run.somebody();
    const auto victim = run.somebody({bad});
    const auto mortal = run.somebody({bad, victim});
    sim.corrupt(bad, adversary(malice, bad, {victim, mortal}, run.settings.seed));
    sim.run_for(20'000);
    sim.update_record(victim, 42);
    run.expect(
        "a victim's record everywhere",
        [&] {
            for (std::size_t i = 0; i < sim.size(); ++i) {
                if (sim.honest(i) && sim.payload_at(i, victim) != 42) return false;
            }
            return true;
        },
        10'000);
    const auto plan = sim.publish_plan(victim, 1, 100'000);
    run.expect(
        "a plan at every honest node",
        [&] { return sim.count_with_document(plan) + 1 >= sim.size(); }, 15'000);
    sim.crash(mortal);
    sim.run_for(25'000);
    sim.restart(mortal, run.chance(50));
    run.expect(
        "who returns alive",
        [&] {
            const auto& views = sim.views();  // suspected again and again, if somebody accuses it
            return views.count(mortal, State::alive) + views.count(mortal, State::suspect) + 2 >=
                   sim.size();
        },
        10'000);
    sim.restart(victim, run.chance(50));
    sim.run_for(5'000);
    run.converge();
}

/// A tenth of the site is malicious, each in its own way.
void gang(Run& run) {
    auto& sim = run.sim;
    run.props.bounds.ghosts = run.props.bounds.accusers = true;
    run.props.bounds.detect_ms = 30'000;
    run.props.bounds.bytes_per_10s = 64U << 20;
    run.settle();
    std::vector<std::size_t> bad;
    for (std::size_t n = 0; n < std::max<std::size_t>(1, sim.size() / 10); ++n) {
        const auto i = run.somebody();
        const auto malice = all_malice()[run.below(all_malice().size())];
        sim.corrupt(i, adversary(malice, i, {run.somebody({i})}, run.settings.seed));
    }
    for (int n = 0; n < 5; ++n) {
        sim.update_record(run.somebody(), 10 + static_cast<std::uint64_t>(n));
        sim.publish_plan(run.somebody(), 1 + static_cast<std::uint64_t>(n), 10'000);
        sim.run_for(8'000);
    }
    const auto mortal = run.somebody();
    sim.crash(mortal);
    sim.run_for(31'000);
    sim.restart(mortal);
    run.converge();
}

}  // namespace

std::vector<Script> byzantine_scripts() {
    std::vector<Script> out;
    for (const auto malice : all_malice()) {
        out.push_back({fmt::format("byz-{}", name_of(malice)),
                       fmt::format("one member that does this: {}", name_of(malice)),
                       20,
                       [malice](Run& run) { insider(run, malice); },
                       {}});
    }
    out.push_back({"byz-gang", "a tenth of the members is malicious", 32, gang, {}});
    return out;
}

}  // namespace clarity::sim
