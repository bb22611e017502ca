// sim_mesh: production mesh objects on virtual time, under scripted or random faults. Exits 1, and
// says which property failed and what replays it, when one does.
#include <fmt/format.h>

#include <cstring>
#include <ctime>
#include <string>

#include "tests/sim/report.hpp"
#include "tests/sim/scripts.hpp"

namespace {

using clarity::sim::Outcome;
using clarity::sim::ReportSettings;
using clarity::sim::RunSettings;
using clarity::sim::Script;
using clarity::sim::Violation;

constexpr const char* usage =
    "usage: sim_mesh [--script NAME|all] [--seed S | --seeds A..B] [--nodes N] [--loss P]\n"
    "                [--hints] [--twice] [--verbose] [--story]\n"
    "       sim_mesh --report [--nodes N[,N…]] [--seed S] [--hours H] [--figures|--deaths] "
    "[--cold]\n"
    "       sim_mesh --list\n"
    "\n"
    "Runs production mesh objects on virtual time. Each run checks all properties as it goes on;\n"
    "one that fails ends the program with exit code 1, the seed and the command that replays it.\n"
    "\n"
    "  --script NAME  what happens (default: life); all = each script but swarm\n"
    "  --seeds A..B   one run for each\n"
    "  --nodes N      instead of the script's own size\n"
    "  --loss P       of each frame, 0 to 0.9\n"
    "  --hints        the transport notices crashes, as TCP resets do\n"
    "  --twice        each run twice: both must have the same trace\n"
    "  --verbose      a line for each run, instead of each script\n"
    "  --story        prints every fault when it comes\n"
    "  --report       prints what is measured at 16, 64, 256, 1,000 and 10,000 nodes; --hours:\n"
    "                 node-hours watched for false deaths at each loss (default: 20);\n"
    "                 --figures: all but false deaths; --deaths: only these; --cold: 5,000 nodes\n"
    "                 and more start cold as well\n"
    "  --list         names the scripts\n";

struct Options {
    std::string script = "life";
    RunSettings run;
    std::uint64_t last_seed = 1;
    bool twice = false;
    bool verbose = false;
    bool list = false;
    bool report = false;
    ReportSettings figures;
};

/// Comma-separated; empty when it is not that.
std::vector<std::size_t> parse_sizes(const std::string& text) {
    std::vector<std::size_t> out;
    const char* at = text.c_str();
    while (*at != '\0') {
        char* end = nullptr;
        const auto n = std::strtoul(at, &end, 10);
        if (end == at || n < 4 || n > 20'000 || (*end != ',' && *end != '\0')) return {};
        out.push_back(n);
        at = *end == ',' ? end + 1 : end;
    }
    return out;
}

bool parse_value(const std::string& name, const std::string& value, Options& options) {
    char* end = nullptr;
    if (name == "--script") {
        options.script = value;
        return value == "all" || clarity::sim::find_script(value) != nullptr;
    }
    if (name == "--seed" || name == "--seeds") {
        options.run.seed = options.last_seed = std::strtoull(value.c_str(), &end, 10);
        if (name == "--seeds") {
            if (std::strncmp(end, "..", 2) != 0) return false;
            options.last_seed = std::strtoull(end + 2, &end, 10);
        }
        options.figures.seed = options.run.seed;
        return *end == '\0' && options.last_seed >= options.run.seed;
    }
    if (name == "--nodes") {
        options.figures.nodes = parse_sizes(value);
        if (options.figures.nodes.empty()) return false;
        options.run.nodes = options.figures.nodes[0];
        return true;
    }
    if (name == "--loss") {
        options.run.loss = std::strtod(value.c_str(), &end);
        return *end == '\0' && options.run.loss >= 0 && options.run.loss <= 0.9;
    }
    if (name == "--hours") {
        options.figures.node_hours = std::strtod(value.c_str(), &end);
        return *end == '\0' && options.figures.node_hours >= 0;
    }
    return false;
}

bool parse(int argc, char** argv, Options& options) {
    for (int i = 1; i < argc; ++i) {
        const std::string name = argv[i];
        if (name == "--report") options.report = true;
        else if (name == "--hints") options.run.hints = true;
        else if (name == "--twice") options.twice = true;
        else if (name == "--verbose") options.verbose = true;
        else if (name == "--story") options.run.story = true;
        else if (name == "--cold") options.figures.cold = true;
        else if (name == "--figures") options.figures.deaths = false;
        else if (name == "--deaths") options.figures.figures = false;
        else if (name == "--list") options.list = true;
        else if (i + 1 >= argc || !parse_value(name, argv[++i], options)) {
            fmt::print(stderr, "sim_mesh: bad argument \"{}\"\n", name);
            return false;
        }
    }
    return true;
}

double cpu_s() {
    return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

void print_line(const std::string& what, const Outcome& worst, double cpu) {
    fmt::print(
        "{:<24} {:7.0f} s simulated {:6.1f} s CPU  kills seen in {:4.1f} s  healed in "
        "{:4.1f} s  {:5.0f} kB/10 s  {:5.0f} kB  {} false deaths\n",
        what, static_cast<double>(worst.virtual_ms) / 1000, cpu,
        static_cast<double>(worst.slowest_detection_ms) / 1000,
        static_cast<double>(worst.healed_ms) / 1000,
        static_cast<double>(worst.most_bytes_per_10s) / 1000,
        static_cast<double>(worst.most_memory) / 1000, worst.false_deaths);
    std::fflush(stdout);
}

void add(Outcome& worst, const Outcome& one) {
    worst.virtual_ms += one.virtual_ms;
    worst.healed_ms = std::max(worst.healed_ms, one.healed_ms);
    worst.slowest_detection_ms = std::max(worst.slowest_detection_ms, one.slowest_detection_ms);
    worst.most_bytes_per_10s = std::max(worst.most_bytes_per_10s, one.most_bytes_per_10s);
    worst.most_memory = std::max(worst.most_memory, one.most_memory);
    worst.false_deaths += one.false_deaths;
    worst.node_hours += one.node_hours;
}

/// All seeds of one script; false when a property failed.
bool run_seeds(const Script& script, const Options& options) {
    Outcome worst;
    const auto start = cpu_s();
    bool good = true;
    for (auto seed = options.run.seed; seed <= options.last_seed; ++seed) {
        auto settings = options.run;
        settings.seed = seed;
        const auto before = cpu_s();
        try {
            const auto one = clarity::sim::play(script, settings);
            if (options.twice && clarity::sim::play(script, settings).trace != one.trace) {
                throw Violation(fmt::format(
                    "seed {} gives another trace when it is run again\n  replay: sim_mesh "
                    "--script {} --seed {} --twice",
                    seed, script.name, seed));
            }
            add(worst, one);
            if (options.verbose) {
                print_line(fmt::format("{} {}", script.name, seed), one, cpu_s() - before);
            }
        } catch (const Violation& violation) {
            fmt::print("FAILED {} seed {} {}\n", script.name, seed, violation.what());
            std::fflush(stdout);
            good = false;
        }
    }
    if (good && !options.verbose) print_line(script.name, worst, cpu_s() - start);
    return good;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    if (!parse(argc, argv, options)) {
        fmt::print(stderr, "{}", usage);
        return 2;
    }
    if (options.list) {
        for (const auto& script : clarity::sim::scripts()) {
            fmt::print("{:<16} {}\n", script.name, script.about);
        }
        return 0;
    }
    if (options.report) return clarity::sim::print_report(options.figures) ? 0 : 1;
    bool good = true;
    for (const auto& script : clarity::sim::scripts()) {
        const bool wanted =
            options.script == "all" ? script.name != "swarm" : script.name == options.script;
        if (wanted) good = run_seeds(script, options) && good;
    }
    return good ? 0 : 1;
}
