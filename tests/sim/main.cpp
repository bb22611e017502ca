// sim_mesh: a whole life of a site on virtual time. Exits 1, and says which step and seed, when a
// step takes longer than it may.
#include <fmt/format.h>

#include <cstring>
#include <ctime>
#include <string>

#include "tests/sim/simulator.hpp"

namespace {

using clarity::mesh::State;
using clarity::sim::Simulator;
using clarity::sim::SimulatorSettings;

struct Options {
    SimulatorSettings simulator;
    bool report = false;
};

constexpr const char* usage =
    "usage: sim_mesh [--nodes N] [--seed S] [--loss P] [--hints] [--report]\n"
    "  Runs N mesh nodes on virtual time: start, record update, plan, crash, restart,\n"
    "  partition (up to 256 nodes). --report prints what each step took.\n";

bool parse(int argc, char** argv, Options& options) {
    for (int i = 1; i < argc; ++i) {
        const std::string name = argv[i];
        if (name == "--report") {
            options.report = true;
        } else if (name == "--hints") {
            options.simulator.hints = true;
        } else if (i + 1 < argc && name == "--nodes") {
            options.simulator.nodes = std::strtoul(argv[++i], nullptr, 10);
        } else if (i + 1 < argc && name == "--seed") {
            options.simulator.seed = std::strtoull(argv[++i], nullptr, 10);
        } else if (i + 1 < argc && name == "--loss") {
            options.simulator.loss = std::strtod(argv[++i], nullptr);
        } else {
            return false;
        }
    }
    const auto& s = options.simulator;
    return s.nodes >= 4 && s.nodes <= 20'000 && s.loss >= 0 && s.loss < 0.95;
}

double cpu_s() {
    return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

/// Runs the steps; each must be done within its limit.
class Life {
  public:
    explicit Life(const Options& options) : options_(options), sim_(options.simulator) {}

    bool run() {
        const auto n = sim_.size();
        sim_.start_all();
        if (!step(
                "all see all alive", [&] { return sim_.all_see_all_alive(); }, 60'000)) {
            return false;
        }
        if (!step(
                "all records everywhere", [&] { return all_records(); }, 60'000))
            return false;
        idle();
        sim_.update_record(1, 42);
        if (!step(
                "record update reaches all", [&] { return sim_.all_have_record(1, 42); }, 20'000)) {
            return false;
        }
        const auto plan = sim_.publish(n - 1, std::string(300'000, 'p'));
        if (!step(
                "plan of 300 kB reaches all", [&] { return sim_.all_have_document(plan); },
                60'000)) {
            return false;
        }
        sim_.crash(2);
        if (!step(
                "crash seen by all", [&] { return sim_.all_see(2, State::dead); }, 60'000)) {
            return false;
        }
        sim_.restart(2);
        if (!step(
                "restart seen by all", [&] { return sim_.all_see(2, State::alive); }, 60'000)) {
            return false;
        }
        return n > 256 || partition();
    }

  private:
    const Options& options_;
    Simulator sim_;

    bool all_records() {
        for (std::size_t i = 0; i < sim_.size(); ++i) {
            if (sim_.node(i).mesh->records().size() != sim_.size()) return false;
        }
        return true;
    }

    void idle() {
        sim_.run_for(5'000);
        const auto before = sim_.total();
        sim_.run_for(10'000);
        const auto after = sim_.total();
        const auto nodes = static_cast<double>(sim_.size());
        if (!options_.report) return;
        fmt::print("{:<28} {:.1f} frames/s, {:.1f} kbit/s per node; {} probes failed\n", "idle",
                   static_cast<double>(after.frames_sent - before.frames_sent) / nodes / 10,
                   static_cast<double>(after.bytes_sent - before.bytes_sent) * 8 / nodes / 10'000,
                   after.probes_failed - before.probes_failed);
    }

    bool partition() {
        std::vector<int> groups(sim_.size(), 0);
        for (std::size_t i = 0; i < groups.size() / 2; ++i) groups[i] = 1;
        sim_.partition(groups);
        const auto last = sim_.size() - 1;
        const auto apart = [&] {
            return sim_.state_at(0, last) == State::dead && sim_.state_at(last, 0) == State::dead;
        };
        if (!step("partition seen", apart, 60'000)) return false;
        sim_.run_for(60'000);
        sim_.partition({});
        return step(
            "partition healed", [&] { return sim_.all_see_all_alive(); }, 60'000);
    }

    bool step(const char* name, const std::function<bool()>& done, std::int64_t limit_ms) {
        const auto cpu = cpu_s();
        const auto took = sim_.run_until(done, limit_ms, sim_.size() > 256 ? 50 : 10);
        if (!took) {
            fmt::print(stderr,
                       "sim_mesh: \"{}\" not done after {} s of virtual time; replay with "
                       "--nodes {} --seed {} --loss {}\n",
                       name, limit_ms / 1000, sim_.size(), options_.simulator.seed,
                       options_.simulator.loss);
            return false;
        }
        if (options_.report) {
            fmt::print("{:<28} {:6.2f} s   ({:.1f} s CPU)\n", name,
                       static_cast<double>(*took) / 1000, cpu_s() - cpu);
            std::fflush(stdout);
        }
        return true;
    }
};

}  // namespace

int main(int argc, char** argv) {
    Options options;
    if (!parse(argc, argv, options)) {
        fmt::print(stderr, "{}", usage);
        return 2;
    }
    Life life(options);
    return life.run() ? 0 : 1;
}
