#include "tests/sim/report.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <ctime>
#include <optional>
#include <string>

#include "tests/sim/properties.hpp"
#include "tests/sim/simulator.hpp"

namespace clarity::sim {
namespace {

using mesh::State;

constexpr std::size_t warm_from = 5'000;  ///< larger sites do not start cold
constexpr std::size_t records_all_up_to = 1'000;
constexpr std::size_t records_else = 64;
constexpr std::size_t plan_bytes = 16'000;  ///< one part
constexpr std::int64_t idle_ms = 20'000;
constexpr int repeats = 3;
constexpr std::int64_t least_watch_ms = 30'000;
constexpr std::array<double, 4> losses{0, 0.01, 0.05, 0.2};

double cpu_s() {
    return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

std::string seconds(std::optional<std::int64_t> ms) {
    return ms ? fmt::format("{:.2f} s", static_cast<double>(*ms) / 1000) : "not in time";
}

std::string worst_of(std::vector<std::int64_t> all) {
    if (all.size() < repeats) return "not in time";
    std::sort(all.begin(), all.end());
    return fmt::format("{} ({})", seconds(all[all.size() / 2]), seconds(all.back()));
}

/// One column of the table.
class Column {
  public:
    Column(const ReportSettings& settings, std::size_t nodes)
        : settings_(settings), before_(memory_in_use()), sim_(simulator(settings, nodes)) {}

    std::vector<std::pair<std::string, std::string>> measure() {
        const auto cpu = cpu_s();
        Properties props(sim_, fmt::format("sim_mesh --report --nodes {} --seed {}", sim_.size(),
                                           settings_.seed));
        props.bounds.false_deaths_free = 1'000'000;  // counted, not judged
        start();
        sim_.run_for(props.bounds.grace_ms);
        memory();
        if (settings_.figures) {
            idle();
            update();
            kills();
            restarts();
            plans();
        }
        if (settings_.deaths) {
            for (const auto loss : losses) false_deaths(props, loss);
        }
        add("simulated; processor",
            fmt::format("{:.0f} s; {:.0f} s", static_cast<double>(sim_.now_ms()) / 1000,
                        cpu_s() - cpu));
        rusage usage{};
        getrusage(RUSAGE_SELF, &usage);
        add("process, most so far",
            fmt::format("{:.2f} GB", static_cast<double>(usage.ru_maxrss) / 1'000'000));
        return std::move(rows_);
    }

  private:
    const ReportSettings& settings_;
    std::size_t before_;
    Simulator sim_;
    std::vector<std::pair<std::string, std::string>> rows_;
    std::uint64_t seq_ = 0;

    static SimulatorSettings simulator(const ReportSettings& settings, std::size_t nodes) {
        SimulatorSettings out;
        out.nodes = nodes;
        out.seed = settings.seed;
        if (nodes > records_all_up_to) out.record_owners = records_else;
        return out;
    }
    void add(const std::string& what, std::string figure) {
        fmt::print(stderr, "N = {}: {}: {}\n", sim_.size(), what, figure);
        rows_.emplace_back(what, std::move(figure));
    }
    [[nodiscard]] std::int64_t step_ms() const { return sim_.size() > 2'000 ? 20 : 10; }
    [[nodiscard]] std::size_t pick() {
        for (;;) {
            const auto i = static_cast<std::size_t>(sim_.random().below(sim_.size()));
            if (sim_.up(i)) return i;
        }
    }

    void start() {
        const bool warm = sim_.size() >= warm_from && !settings_.cold;
        warm ? sim_.warm_start() : sim_.start_all();
        const auto took =
            sim_.run_until([&] { return sim_.all_see_all_alive(); }, 60'000, step_ms());
        add("cold start: all see all alive", warm ? "(warm start)" : seconds(took));
    }
    void memory() {
        // The simulator's own part: a byte a pair.
        const auto own = sim_.size() * sim_.size();
        const auto all = memory_in_use() - before_;
        const auto each =
            static_cast<double>(all - std::min(all, own)) / static_cast<double>(sim_.size());
        const auto records = std::min(sim_.size(), sim_.settings().record_owners);
        add("memory per node", fmt::format("{:.0f} kB, {} records", each / 1000, records));
    }
    void idle() {
        WireMeter meter;
        sim_.meter(&meter);
        sim_.run_for(idle_ms);
        sim_.meter(nullptr);
        const auto per_node = [&](std::uint64_t bytes) {
            return static_cast<double>(bytes) * 8 / static_cast<double>(idle_ms) /
                   static_cast<double>(sim_.size());
        };
        add("idle, on the wire per node", fmt::format("{:.1f} kbit/s", per_node(meter.bytes())));
        add("  of it frames", fmt::format("{:.1f} kbit/s, {:.1f}/s", per_node(meter.payload()),
                                          per_node(meter.frames()) / 8 * 1000));
    }
    void update() {
        std::vector<std::int64_t> took;
        for (int n = 1; n <= repeats; ++n) {
            const auto owner = pick();
            const auto payload = static_cast<std::uint64_t>(100 + n);
            sim_.update_record(owner, payload);
            const auto done = [&] { return sim_.all_have_record(owner, payload); };
            if (const auto t = sim_.run_until(done, 30'000, step_ms())) took.push_back(*t);
            sim_.run_for(2'000);
        }
        add("an update reaches all", worst_of(std::move(took)));
    }
    void kills() {
        std::vector<std::int64_t> took;
        for (int n = 0; n < repeats; ++n) {
            const auto victim = pick();
            sim_.crash(victim);
            const auto done = [&] { return sim_.all_see(victim, State::dead); };
            if (const auto t = sim_.run_until(done, 30'000, step_ms())) took.push_back(*t);
            sim_.run_for(1'000);
        }
        add("kill seen by all, no hints", worst_of(std::move(took)));
    }
    void restarts() {
        std::vector<std::int64_t> took;
        for (std::size_t i = 0; i < sim_.size(); ++i) {
            if (sim_.up(i)) continue;
            sim_.restart(i);
            const auto done = [&] { return sim_.all_see(i, State::alive); };
            if (const auto t = sim_.run_until(done, 30'000, step_ms())) took.push_back(*t);
        }
        add("a restart seen by all", worst_of(std::move(took)));
        sim_.run_for(5'000);
    }
    void plans() {
        sim_.network().settings.loss = 0.2;
        sim_.run_for(2'000);
        std::vector<std::int64_t> most;
        std::vector<std::int64_t> all;
        for (int n = 0; n < repeats; ++n) {
            const auto digest = sim_.publish_plan(pick(), ++seq_, plan_bytes);
            const auto start = sim_.now_ms();
            const auto nearly = [&] {
                return 100 * sim_.count_with_document(digest) >= 99 * sim_.up_count();
            };
            const auto done = [&] { return sim_.all_have_document(digest); };
            if (const auto t = sim_.run_until(nearly, 30'000, step_ms())) most.push_back(*t);
            if (sim_.run_until(done, 30'000, step_ms())) all.push_back(sim_.now_ms() - start);
            sim_.run_for(2'000);
        }
        add("plan, 20 % loss: 99 % have it", worst_of(std::move(most)));
        add("plan, 20 % loss: all have it", worst_of(std::move(all)));
    }
    void false_deaths(const Properties& props, double loss) {
        sim_.network().settings.loss = loss;
        sim_.run_for(props.bounds.grace_ms);  // what the loss before had started
        const auto count = props.false_deaths();
        const auto hours = props.node_hours();
        const auto wanted = settings_.node_hours * 3'600'000 / static_cast<double>(sim_.size());
        sim_.run_for(std::max(least_watch_ms, static_cast<std::int64_t>(wanted)));
        add(fmt::format("false deaths, {:.0f} % loss", loss * 100),
            fmt::format("{} in {:.0f} node-hours", props.false_deaths() - count,
                        props.node_hours() - hours));
    }
};

}  // namespace

bool print_report(const ReportSettings& settings) {
    std::vector<std::vector<std::pair<std::string, std::string>>> columns;
    for (const auto nodes : settings.nodes) {
        try {
            columns.push_back(Column(settings, nodes).measure());
        } catch (const Violation& violation) {
            fmt::print(stderr, "sim_mesh: {}\n", violation.what());
            return false;
        }
    }
    fmt::print("{:<32}", fmt::format("seed {}", settings.seed));
    for (const auto nodes : settings.nodes) fmt::print(" {:>26}", fmt::format("N = {}", nodes));
    fmt::print("\n");
    for (std::size_t row = 0; row < columns[0].size(); ++row) {
        fmt::print("{:<32}", columns[0][row].first);
        for (const auto& column : columns) fmt::print(" {:>26}", column[row].second);
        fmt::print("\n");
    }
    fmt::print(
        "One-way delay 1 to 6 ms. Times: median (worst) of {}. Plans of {} kB, in one part.\n"
        "On the wire: per frame 35 bytes of CURVE, per segment of 1,448 bytes 66 of Ethernet, IP\n"
        "and TCP, and a pure ACK of 66 where no frame goes back within 40 ms.\n"
        "Memory: what malloc gave, rosters and equal records shared by all nodes.\n",
        repeats, plan_bytes / 1000);
    return true;
}

}  // namespace clarity::sim
