#include "cli/view/outcome.hpp"

namespace clarity::cli {

ExitCode exit_of(Errc code) {
    switch (code) {
        case Errc::network: return ExitCode::partial;
        case Errc::timeout: return ExitCode::timeout;
        case Errc::denied:
        case Errc::bad_signature: return ExitCode::refused;
        default: return ExitCode::error;
    }
}

DeploymentView view_of(const Json& deployment) {
    DeploymentView view;
    view.state = json_or<std::string>(deployment, "state", "pending");
    const auto seq = json_or<std::uint64_t>(deployment, "seq", 0);
    const auto servers = json_or<Json>(deployment, "servers", Json::array());
    if (!servers.is_array()) return view;
    for (const auto& server : servers) {
        ++view.servers;
        const bool here = json_or<std::uint64_t>(server, "plan_seq", 0) >= seq;
        if (here && json_or(server, "failed", false)) {
            ++view.failed;
        } else if (here && json_or(server, "settled", false)) {
            ++view.settled;
        } else {
            const auto state = json_or<std::string>(server, "state", "alive");
            const bool gone = state == "dead" || state == "left" || state == "unknown";
            ++(gone ? view.unreachable : view.waiting);
        }
    }
    return view;
}

std::optional<ExitCode> outcome_of(const DeploymentView& view, std::int64_t unreachable_ms,
                                   std::int64_t grace_ms) {
    if (view.state == "done") {
        return view.unreachable > 0 ? ExitCode::partial : ExitCode::done;
    }
    if (view.state == "failed" || view.state == "rolled_back") return ExitCode::failed;
    if (view.servers > 0 && view.waiting == 0 && view.unreachable > 0 &&
        unreachable_ms >= grace_ms) {
        return view.failed > 0 ? ExitCode::failed : ExitCode::partial;
    }
    return std::nullopt;
}

}  // namespace clarity::cli
