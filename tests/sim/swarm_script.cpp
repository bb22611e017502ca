#include "tests/sim/byzantine.hpp"
#include "tests/sim/scripts.hpp"

namespace clarity::sim {
namespace {

enum class Fault {
    crash,
    lose_disk,
    restart,
    leave,
    freeze,
    slow,
    clock,
    cut,
    isolate,
    partition,
    mend,
    record,
    plan,
    document,
    loss,
    reorder,
};
constexpr std::size_t fault_count = 16;

/// One run's schedule.
class Swarm {
  public:
    explicit Swarm(Run& run) : run_(run), sim_(run.sim) {}

    void play() {
        auto& bounds = run_.props.bounds;
        bounds.detect_ms = 20'000;
        bounds.heal_ms = 45'000;
        bounds.false_deaths_free = sim_.network().settings.loss > 0.02 ? 3 : 0;
        for (std::size_t i = 0; i < sim_.size(); ++i) {
            sim_.at(sim_.now_ms() + run_.between(0, 3'000), [this, i] { sim_.start(i); });
        }
        sim_.run_for(run_.between(3'000, 15'000));
        draw();
        if (sim_.size() >= 8 && run_.chance(25)) add_insider();
        const auto steps = run_.between(5, 40);
        for (std::int64_t n = 0; n < steps; ++n) {
            step(enabled_[run_.below(enabled_.size())]);
            sim_.run_for(run_.between(0, 4'000));
        }
        for (std::size_t i = 0; i < sim_.size(); ++i) {
            if (!sim_.up(i) && run_.chance(70)) sim_.restart(i, run_.chance(20));
        }
        sim_.network().settings.loss = std::min(sim_.network().settings.loss, 0.1);
        run_.converge();
    }

  private:
    Run& run_;
    Simulator& sim_;
    std::vector<Fault> enabled_;
    std::vector<std::size_t> links_cut_;
    std::uint64_t seq_ = 0;

    /// Not all faults at once: some hide others.
    void draw() {
        while (enabled_.empty()) {
            for (std::size_t n = 0; n < fault_count; ++n) {
                if (run_.chance(40)) enabled_.push_back(static_cast<Fault>(n));
            }
        }
    }
    void add_insider() {
        const auto bad = run_.somebody();
        const auto malice = all_malice()[run_.below(all_malice().size())];
        run_.props.bounds.ghosts = malice == Malice::ghost || malice == Malice::replay;
        run_.props.bounds.accusers = malice == Malice::accuse || malice == Malice::replay;
        run_.props.bounds.bytes_per_10s = 12U << 20;
        sim_.corrupt(bad, adversary(malice, bad, {run_.somebody({bad})}, run_.settings.seed));
    }
    [[nodiscard]] bool many_up() const { return sim_.up_count() > sim_.size() / 2 + 1; }

    void step(Fault fault) {
        switch (fault) {
            case Fault::crash:
                if (many_up()) sim_.crash(run_.somebody());
                break;
            case Fault::lose_disk: sim_.restart(run_.somebody(), true); break;
            case Fault::restart: return restart_one();
            case Fault::leave:
                if (many_up()) sim_.leave(run_.somebody());
                break;
            case Fault::freeze: sim_.freeze(run_.somebody(), run_.between(100, 20'000)); break;
            case Fault::slow:
                sim_.slow_down(run_.somebody(), run_.chance(50) ? 0 : run_.between(50, 3'000));
                break;
            case Fault::clock: sim_.jump_clock(run_.somebody(), run_.between(10, 60'000)); break;
            case Fault::cut: return cut();
            case Fault::isolate:
                sim_.isolate(run_.somebody(), run_.chance(50), run_.chance(50));
                break;
            case Fault::partition: return partition();
            case Fault::mend: sim_.heal(); break;
            case Fault::record: sim_.update_record(run_.somebody(), run_.dice.next()); break;
            case Fault::plan:
                seq_ += static_cast<std::uint64_t>(run_.between(1, 3));
                sim_.publish_plan(run_.somebody(), seq_, 24 + run_.below(100'000));
                break;
            case Fault::document:
                sim_.publish(run_.somebody(), std::to_string(run_.dice.next()));
                break;
            case Fault::loss: {
                auto& network = sim_.network().settings;
                network.loss = static_cast<double>(run_.between(0, 20)) / 100;
                if (network.loss > 0.02) run_.props.bounds.false_deaths_free = 3;
                break;
            }
            case Fault::reorder: sim_.network().settings.reorder = run_.chance(50) ? 0 : 0.1; break;
        }
    }
    /// Few links to or from each: with many of them cut it is not the link that is ill.
    void cut() {
        const auto from = run_.somebody();
        const auto to = run_.somebody({from});
        links_cut_.resize(sim_.size());
        const auto most = sim_.size() / 8;
        if (links_cut_[from] >= most || links_cut_[to] >= most) return;
        ++links_cut_[from];
        ++links_cut_[to];
        sim_.cut(from, to);
    }
    void restart_one() {
        for (std::size_t tries = 0; tries < 8; ++tries) {
            const auto i = run_.below(sim_.size());
            if (sim_.up(i)) continue;
            return sim_.restart(i, run_.chance(20));
        }
        sim_.restart(run_.somebody());
    }
    void partition() {
        std::vector<int> groups(sim_.size());
        const auto ways = run_.between(2, 3);
        for (auto& group : groups) group = static_cast<int>(run_.between(0, ways - 1));
        sim_.partition(std::move(groups));
    }
};

void prepare(SimulatorSettings& settings, mesh::Random& dice) {
    settings.nodes = 5 + static_cast<std::size_t>(dice.below(60));
    auto& network = settings.network;
    const double losses[] = {0, 0, 0.01, 0.05, 0.1};
    if (network.loss == 0) network.loss = losses[dice.below(5)];
    network.duplicates = dice.below(2) == 0 ? 0 : 0.05;
    network.reorder = dice.below(3) == 0 ? 0.05 : 0;
    network.delay_spread_ms = static_cast<std::int64_t>(dice.below(40));
    settings.hints = dice.below(2) == 0;
    settings.record_bytes = 16 + static_cast<std::size_t>(dice.below(4'000));
}

}  // namespace

Script swarm_script() {
    return {"swarm", "each seed draws its own size, network, faults and schedule", 0,
            [](Run& run) { Swarm(run).play(); }, prepare};
}

}  // namespace clarity::sim
