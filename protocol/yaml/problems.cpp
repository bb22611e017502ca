#include <algorithm>
#include <numeric>
#include <tuple>

#include "protocol/yaml/yaml.hpp"

namespace clarity::yaml {

std::string Problem::text() const {
    return fmt::format("{}{}: {}{}", file, line > 0 ? fmt::format(":{}", line) : "",
                       severity == Severity::warning ? "warning: " : "", message);
}

void Problems::error(std::string_view file, int line, std::string message) {
    add({std::string(file), line, Severity::error, std::move(message)});
}

void Problems::warning(std::string_view file, int line, std::string message) {
    add({std::string(file), line, Severity::warning, std::move(message)});
}

void Problems::add(Problem problem) {
    if (problem.severity == Severity::error) ++errors_;
    if (all_.size() > problems_max) return;
    if (all_.size() == problems_max) {
        problem.severity = Severity::error;
        problem.message = "too many problems: the rest is not shown";
    } else if (std::find(all_.begin(), all_.end(), problem) != all_.end()) {
        return;
    }
    all_.push_back(std::move(problem));
}

std::vector<Problem> Problems::sorted() const {
    auto out = all_;
    std::stable_sort(out.begin(), out.end(), [](const Problem& a, const Problem& b) {
        return std::tie(a.file, a.line) < std::tie(b.file, b.line);
    });
    return out;
}

namespace {

/// Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::vector<std::size_t>> rows(a.size() + 1,
                                               std::vector<std::size_t>(b.size() + 1));
    for (std::size_t i = 0; i <= a.size(); ++i) rows[i][0] = i;
    std::iota(rows[0].begin(), rows[0].end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t same = a[i - 1] == b[j - 1] ? 0 : 1;
            rows[i][j] =
                std::min({rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + same});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                rows[i][j] = std::min(rows[i][j], rows[i - 2][j - 2] + 1);
            }
        }
    }
    return rows[a.size()][b.size()];
}

}  // namespace

std::optional<std::string> nearest(std::string_view name, const std::vector<std::string>& known) {
    constexpr std::size_t length_max = 64;
    if (name.empty() || name.size() > length_max) return std::nullopt;
    std::optional<std::string> best;
    std::size_t best_distance = std::max<std::size_t>(1, name.size() / 3) + 1;
    for (const auto& each : known) {
        if (each.empty() || each.size() > length_max) continue;
        const auto far = distance(name, each);
        // Slips are rare in the first letter: it breaks ties.
        const bool nearer = far == best_distance && best && best->front() != name.front() &&
                            each.front() == name.front();
        if (far < best_distance || nearer) {
            best = each;
            best_distance = far;
        }
    }
    return best;
}

std::string hint(std::string_view name, const std::vector<std::string>& known) {
    const auto near = nearest(name, known);
    return near ? fmt::format(": did you mean \"{}\"?", *near) : "";
}

}  // namespace clarity::yaml
