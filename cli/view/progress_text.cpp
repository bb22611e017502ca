#include <algorithm>

#include "cli/view/progress.hpp"
#include "cli/view/units.hpp"
#include "cli/view/width.hpp"

namespace clarity::cli {
namespace {

std::string bar(double fraction) {
    constexpr int cells = 16;
    const int full = std::clamp(static_cast<int>(fraction * cells), 0, cells);
    return "[" + std::string(static_cast<std::size_t>(full), '#') +
           std::string(static_cast<std::size_t>(cells - full), '.') + "]";
}

std::string padded(std::string_view text, std::size_t width) {
    auto out = fit(printable(text), width);
    out.append(width - std::min(width, display_width(out)), ' ');
    return out;
}

/// What crossed which link, and how fast while something is on its way.
std::string traffic(const ArtifactProgress& artifact) {
    std::string text;
    const auto add = [&](const char* link, std::uint64_t bytes, double rate) {
        const bool moves = rate > 0 && !artifact.complete();
        if (bytes == 0 && !moves) return;
        text += fmt::format("{}{} {}{}", text.empty() ? "" : "  ", link, format_bytes(bytes),
                            moves ? " at " + format_rate(rate) : "");
    };
    add("WAN", artifact.wan_bytes, artifact.wan_rate);
    add("LAN", artifact.lan_bytes, artifact.lan_rate);
    if (!artifact.complete() && !artifact.fetcher.empty()) {
        text += (text.empty() ? "" : "  ") + ("by " + printable(artifact.fetcher));
    }
    return text;
}

/// One line where all of it fits, else the traffic and an error below it: no figure is cut off.
void add_artifact(const ArtifactProgress& artifact, std::size_t name_width, std::size_t width,
                  std::vector<std::string>& lines) {
    auto line = padded(artifact.name, name_width) + "  ";
    if (artifact.complete()) {
        line += fmt::format("{} at {}", format_bytes(artifact.size_bytes),
                            count_of(artifact.holders, "server"));
    } else {
        line += fmt::format("{} {:3}% of {}", bar(artifact.fraction),
                            static_cast<int>(artifact.fraction * 100),
                            format_bytes(artifact.size_bytes));
        if (artifact.remaining_s) line += ", " + format_duration(*artifact.remaining_s) + " left";
    }
    const auto links = traffic(artifact);
    if (!links.empty()) {
        if (display_width(line) + 2 + display_width(links) > width) {
            lines.push_back(fit(line, width));
            line = "   ";
        }
        line += "  " + links;
    }
    lines.push_back(fit(line, width));
    if (!artifact.errors.empty()) {
        lines.push_back(fit("  ! " + printable(artifact.errors.back()), width));
    }
}

std::string server_text(const ServerProgress& server) {
    if (server.failed) return server.doing.empty() ? "failed" : server.doing;
    const auto up = fmt::format("{}/{} services up", server.up, server.services);
    if (server.state == "dead" || server.state == "left" || server.state == "unknown") {
        return "not reached (" + server.state + ")";
    }
    if (server.settled) return "done, " + up;
    if (server.doing.empty()) return up;
    return server.services == 0 ? server.doing : up + ", " + server.doing;
}

}  // namespace

std::vector<std::string> progress_block(const Progress& progress, std::size_t width) {
    std::size_t names = 0;
    for (const auto& each : progress.artifacts()) names = std::max(names, display_width(each.name));
    for (const auto& each : progress.servers()) {
        names = std::max(names, display_width(each.hostname));
    }
    names = std::min<std::size_t>(names, 36);
    std::vector<std::string> lines;
    for (const auto& artifact : progress.artifacts()) {
        add_artifact(artifact, names, width, lines);
    }
    for (const auto& server : progress.servers()) {
        const auto text = padded(server.hostname, names) + "  " + printable(server_text(server));
        lines.push_back(fit(text, width));
    }
    return lines;
}

void ProgressLog::artifact_changes(const ArtifactProgress& artifact,
                                   std::vector<std::string>& lines) {
    auto& told = artifacts_[artifact.name];
    if (!artifact.fetcher.empty() && artifact.fetcher != told.fetcher) {
        told.fetcher = artifact.fetcher;
        lines.push_back(
            fmt::format("{}: {} fetches it from the origin", artifact.name, artifact.fetcher));
    }
    for (std::size_t i = told.errors; i < artifact.errors.size(); ++i) {
        lines.push_back(fmt::format("{}: error at {}", artifact.name, artifact.errors[i]));
    }
    told.errors = artifact.errors.size();
    if (artifact.complete()) {
        if (!told.complete) {
            lines.push_back(fmt::format("{}: complete at {}, {} over the WAN, {} over the LAN",
                                        artifact.name, count_of(artifact.holders, "server"),
                                        format_bytes(artifact.wan_bytes),
                                        format_bytes(artifact.lan_bytes)));
        }
        told.complete = true;
        return;
    }
    told.complete = false;
    const int quarter = static_cast<int>(artifact.fraction * 4);
    if (quarter <= told.quarter || (quarter == 0 && artifact.wan_bytes == 0)) return;
    told.quarter = quarter;
    auto line =
        fmt::format("{}: {}% of {}, WAN {} at {}", artifact.name,
                    static_cast<int>(artifact.fraction * 100), format_bytes(artifact.size_bytes),
                    format_bytes(artifact.wan_bytes), format_rate(artifact.wan_rate));
    if (artifact.remaining_s) line += ", " + format_duration(*artifact.remaining_s) + " left";
    lines.push_back(std::move(line));
}

std::vector<std::string> ProgressLog::changes(const Progress& progress) {
    std::vector<std::string> lines;
    for (const auto& artifact : progress.artifacts()) artifact_changes(artifact, lines);
    for (const auto& server : progress.servers()) {
        auto& before = servers_[server.hostname];
        if (before == server) continue;
        const bool told = server_text(before) == server_text(server);
        before = server;
        if (!told) lines.push_back(server.hostname + ": " + server_text(server));
    }
    for (auto& line : lines) line = printable(line);
    return lines;
}

}  // namespace clarity::cli
