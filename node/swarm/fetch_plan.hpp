#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <vector>

namespace clarity::swarm {

/// Pieces [begin, end).
struct PieceRun {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
    bool operator==(const PieceRun&) const = default;
};

/// The first run of pieces to ask the origin for: neither here (`own`) nor at a peer (`held`) nor
/// on its way to the disk (`in_flight`) nor put off after it came wrong (`postponed`). As long as
/// it can be: one request, and the caller ends it early when the site gets at a later piece.
[[nodiscard]] std::optional<PieceRun> next_run(const std::vector<bool>& own,
                                               const std::vector<bool>& held,
                                               const std::set<std::uint32_t>& in_flight,
                                               const std::set<std::uint32_t>& postponed);

/// The same where the server sends all from the start whatever is asked for: from the first piece
/// to ask for to the last, with what is there in between, so that the file is read once.
[[nodiscard]] std::optional<PieceRun> whole_run(const std::vector<bool>& own,
                                                const std::vector<bool>& held,
                                                const std::set<std::uint32_t>& in_flight,
                                                const std::set<std::uint32_t>& postponed);

}  // namespace clarity::swarm
