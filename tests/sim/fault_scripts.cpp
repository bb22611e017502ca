// Scripts of faults that nobody means: processes, machines and the network.
#include "tests/sim/scripts.hpp"

namespace clarity::sim {
namespace {

using mesh::State;

void life(Run& run) {
    auto& sim = run.sim;
    run.settle();
    sim.update_record(1, 42);
    run.expect(
        "a record's update everywhere", [&] { return sim.all_have_record(1, 42); }, 3'000);
    const auto plan = sim.publish_plan(sim.size() - 1, 1, 100'000);
    run.expect(
        "a plan everywhere", [&] { return sim.all_have_document(plan); }, 10'000);
    for (std::size_t victim = 2; victim < 4; ++victim) {
        sim.crash(victim);
        sim.run_for(10'000);
        sim.restart(victim);
        run.expect(
            "who returns alive", [&] { return sim.all_see(victim, State::alive); }, 5'000);
    }
    sim.leave(0);
    const auto gone = [&] {
        return sim.views().count(0, State::left) + sim.views().count(0, State::dead) ==
               sim.up_count();
    };
    run.expect("who leaves gone", gone, 8'000);
    sim.restart(0);
    run.converge();
}

void storm(Run& run) {
    auto& sim = run.sim;
    run.props.bounds.detect_ms = 15'000;  // half of all monitors go as well
    for (std::size_t i = 0; i < sim.size() / 4; ++i) sim.start(i);
    sim.run_for(5'000);
    for (std::size_t i = sim.size() / 4; i < sim.size(); ++i) sim.start(i);  // all at once
    run.expect(
        "all see all alive", [&] { return sim.all_see_all_alive(); }, 20'000);
    sim.publish_plan(run.somebody(), 1, 50'000);
    sim.run_for(12'000);
    for (std::size_t i = 0; i < sim.size() / 2; ++i) sim.crash(i);  // a power supply
    sim.run_for(20'000);
    for (std::size_t i = 0; i < sim.size() / 2; ++i) {
        sim.at(sim.now_ms() + run.between(0, 2'000), [&sim, i] { sim.restart(i); });
    }
    sim.run_for(2'500);
    run.converge();
}

void roster(Run& run) {
    auto& sim = run.sim;
    std::vector<std::size_t> some;
    std::vector<std::size_t> all;
    for (std::size_t i = 0; i < sim.size(); ++i) {
        all.push_back(i);
        if (i < sim.size() / 2) some.push_back(i);
    }
    sim.set_roster(some);
    sim.start_all();  // the others wait for a roster that has them
    sim.run_for(12'000);
    sim.set_roster(all, 2'000);  // which comes to each in its own time
    sim.run_for(2'000);
    run.converge();
    const auto revoked = run.below(sim.size());
    std::erase(all, revoked);
    sim.set_roster(all, 2'000);
    sim.run_for(1'000);
    sim.update_record(revoked, 66);  // it says something; nobody may hear it afterwards
    sim.run_for(30'000);
    for (const auto i : all) {
        if (sim.payload_at(i, revoked) != 0) run.props.fail("a revoked member's record is back");
    }
    all.push_back(revoked);
    sim.set_roster(all, 2'000);
    sim.run_for(2'000);
    run.converge();
}

void partition(Run& run) {
    auto& sim = run.sim;
    run.props.bounds.detect_ms = 25'000;  // a small part has to find itself first
    run.settle();
    std::uint64_t seq = 0;
    for (int round = 0; round < 2; ++round) {
        const auto ways = static_cast<int>(run.between(2, 4));
        std::vector<int> groups(sim.size());
        for (auto& group : groups) group = static_cast<int>(run.between(0, ways - 1));
        sim.partition(groups);
        sim.run_for(run.between(1'000, 60'000));
        for (std::uint64_t n = 1; n <= 5; ++n) sim.update_record(run.somebody(), 100 + n);
        sim.publish_plan(run.somebody(), ++seq, 20'000);
        const auto dies = run.somebody();
        sim.crash(dies);
        sim.run_for(run.between(5'000, 60'000));
        sim.restart(dies, run.chance(50));
        sim.run_for(run.between(0, 5'000));
        run.converge();
        sim.run_for(run.props.bounds.grace_ms);
    }
}

/// Many single links are cut one way: nobody is hurt, as there are others. Then nodes that cannot
/// send, or cannot hear: those are, but nobody else.
void oneway(Run& run) {
    auto& sim = run.sim;
    run.settle();
    for (std::size_t n = 0; n < sim.size(); ++n) {
        const auto from = run.somebody();
        sim.cut(from, run.somebody({from}));
    }
    sim.run_for(30'000);
    sim.network().heal(sim.now_ms());
    const auto mute = run.somebody();
    const auto deaf = run.somebody({mute});
    sim.isolate(mute, true, false);
    sim.isolate(deaf, false, true);
    sim.run_for(40'000);
    sim.publish_plan(run.somebody({mute, deaf}), 1, 1'000);
    sim.run_for(1'000);
    run.converge();
}

/// Three links of one node fail, each one way, any of them: it is no reason to hold anybody for
/// dead, nor to be held for it.
void cuts(Run& run) {
    auto& sim = run.sim;
    run.settle();
    for (int round = 0; round < 8; ++round) {
        const auto patient = run.somebody();
        for (int n = 0; n < 3; ++n) {
            const auto other = run.somebody({patient});
            if (run.chance(50)) sim.cut(patient, other);
            else sim.cut(other, patient);
        }
        sim.run_for(25'000);
        sim.network().heal(sim.now_ms());
        sim.run_for(run.between(0, 3'000));
    }
    run.converge();
}

/// One member that is late with everything and stands still now and then must not cost anybody
/// else's life (consul #5567).
void sick(Run& run) {
    auto& sim = run.sim;
    run.settle();
    const auto patient = run.somebody();
    for (int n = 0; n < 12; ++n) {
        sim.slow_down(patient, run.between(200, 4'000));
        sim.run_for(run.between(1'000, 5'000));
        sim.freeze(patient, run.between(500, 8'000));
        sim.run_for(run.between(1'000, 5'000));
    }
    run.converge();
}

void pauses(Run& run) {
    auto& sim = run.sim;
    run.settle();
    for (int n = 0; n < 10; ++n) {
        const auto all_at_once = run.below(sim.size() / 3) + 1;
        for (std::size_t k = 0; k < all_at_once; ++k) {
            sim.freeze(run.somebody(), run.between(500, 40'000));
        }
        sim.run_for(run.between(1'000, 10'000));
        sim.update_record(run.somebody(), 1'000 + static_cast<std::uint64_t>(n));
    }
    sim.run_for(40'000);
    run.converge();
}

void restarts(Run& run) {
    auto& sim = run.sim;
    run.settle();
    sim.publish_plan(0, 1, 10'000);
    for (std::size_t n = 0; n < 2 * sim.size(); ++n) {
        const auto i = run.somebody();
        for (auto lives = run.between(1, 3); lives > 0; --lives) {
            sim.crash(i);
            sim.run_for(run.between(0, 1'500));
            sim.restart(i, run.chance(30));
            sim.run_for(run.between(0, 1'000));
        }
        sim.update_record(run.somebody(), 10 + n);
    }
    run.converge();
}

/// Timers jump; nobody is hurt by that, neither the others nor oneself.
void clocks(Run& run) {
    auto& sim = run.sim;
    run.settle();
    for (int n = 0; n < 60; ++n) {
        sim.jump_clock(run.somebody(), run.between(100, 120'000));
        sim.run_for(run.between(0, 2'000));
    }
    run.converge();
}

void plans(Run& run) {
    auto& sim = run.sim;
    sim.network().settings.loss = std::max(sim.network().settings.loss, 0.2);
    sim.network().settings.duplicates = 0.05;
    run.props.bounds.false_deaths_free = 2;
    sim.start_all();
    sim.run_for(5'000);
    std::uint64_t seq = 0;
    for (int n = 0; n < 20; ++n) {
        seq += static_cast<std::uint64_t>(run.between(1, 3));
        sim.publish_plan(run.somebody(), seq, static_cast<std::size_t>(run.between(100, 200'000)));
        if (n % 5 == 0) sim.restart(run.somebody(), n % 10 == 0);
        sim.run_for(run.between(0, 3'000));
    }
    run.converge();
}

/// The network gets worse and worse, and well again.
void fade(Run& run) {
    auto& sim = run.sim;
    run.settle();
    auto& network = sim.network().settings;
    network.duplicates = 0.05;
    network.reorder = 0.1;
    for (const auto loss : {0.01, 0.05, 0.1, 0.2}) {
        network.loss = loss;
        run.props.bounds.detect_ms = 12'000;
        run.props.bounds.false_deaths_free = loss > 0.1 ? 2 : 0;
        sim.update_record(run.somebody(), 7);
        sim.run_for(30'000);
        const auto dies = run.somebody();
        sim.crash(dies);
        sim.run_for(15'000);
        sim.restart(dies);
    }
    run.props.bounds.false_deaths_free = 14;  // 12 more: who is not heard may as well be dead
    run.props.bounds.detect_ms = 60'000;
    network.loss = 0.6;
    sim.run_for(60'000);
    network = {};
    run.converge();
}

}  // namespace

std::vector<Script> fault_scripts() {
    return {
        {"life", "updates, a plan, crashes, restarts, a leave", 24, life, {}},
        {"storm", "three quarters start at once; half lose power, and return", 48, storm, {}},
        {"roster", "half the site joins at once; one is revoked, and taken back", 24, roster, {}},
        {"partition", "2 to 4 parts, with news and deaths in each, twice", 32, partition, {}},
        {"oneway", "single links cut one way; a mute node, a deaf node", 24, oneway, {}},
        {"cuts", "three links of one node cut one way, again and again", 12, cuts, {}},
        {"sick", "one node that lags and stands still", 24, sick, {}},
        {"pauses", "up to a third of the nodes stand still, and go on", 24, pauses, {}},
        {"restarts", "restarts in quick succession, with and without disk", 16, restarts, {}},
        {"clocks", "clocks jump forward", 24, clocks, {}},
        {"plans", "twenty plans at 20 % loss", 24, plans, {}},
        {"fade", "loss up to 60 %, reordering, duplicates; crashes in between", 24, fade, {}},
    };
}

}  // namespace clarity::sim
