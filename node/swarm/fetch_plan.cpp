#include "node/swarm/fetch_plan.hpp"

namespace clarity::swarm {

std::optional<PieceRun> next_run(const std::vector<bool>& own, const std::vector<bool>& held,
                                 const std::set<std::uint32_t>& in_flight,
                                 const std::set<std::uint32_t>& postponed) {
    const auto wanted = [&](std::uint32_t piece) {
        return !own[piece] && !(piece < held.size() && held[piece]) && !in_flight.contains(piece) &&
               !postponed.contains(piece);
    };
    const auto count = static_cast<std::uint32_t>(own.size());
    PieceRun run;
    while (run.begin < count && !wanted(run.begin)) ++run.begin;
    if (run.begin == count) return std::nullopt;
    run.end = run.begin + 1;
    while (run.end < count && wanted(run.end)) ++run.end;
    return run;
}

}  // namespace clarity::swarm
