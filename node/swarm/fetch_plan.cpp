#include "node/swarm/fetch_plan.hpp"

namespace clarity::swarm {

namespace {

struct Wanted {
    const std::vector<bool>& own;
    const std::vector<bool>& held;
    const std::set<std::uint32_t>& in_flight;
    const std::set<std::uint32_t>& postponed;

    bool operator()(std::uint32_t piece) const {
        return !own[piece] && !(piece < held.size() && held[piece]) && !in_flight.contains(piece) &&
               !postponed.contains(piece);
    }
};

}  // namespace

std::optional<PieceRun> next_run(const std::vector<bool>& own, const std::vector<bool>& held,
                                 const std::set<std::uint32_t>& in_flight,
                                 const std::set<std::uint32_t>& postponed) {
    const Wanted wanted{own, held, in_flight, postponed};
    const auto count = static_cast<std::uint32_t>(own.size());
    PieceRun run;
    while (run.begin < count && !wanted(run.begin)) ++run.begin;
    if (run.begin == count) return std::nullopt;
    run.end = run.begin + 1;
    while (run.end < count && wanted(run.end)) ++run.end;
    return run;
}

std::optional<PieceRun> whole_run(const std::vector<bool>& own, const std::vector<bool>& held,
                                  const std::set<std::uint32_t>& in_flight,
                                  const std::set<std::uint32_t>& postponed) {
    auto run = next_run(own, held, in_flight, postponed);
    if (!run) return std::nullopt;
    const Wanted wanted{own, held, in_flight, postponed};
    for (auto piece = run->end; piece < own.size(); ++piece) {
        if (wanted(piece)) run->end = piece + 1;
    }
    return run;
}

}  // namespace clarity::swarm
