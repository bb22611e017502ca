#include "cli/view/progress.hpp"

#include <algorithm>

namespace clarity::cli {
namespace {

constexpr std::int64_t window_ms = 5'000;

/// What a server is busy with, from its services: the worst first.
std::string doing_of(const Json& services) {
    std::string doing;
    int worst = 0;
    for (const auto& service : services) {
        const auto state = json_or<std::string>(service, "state", "");
        int rank = 0;
        if (state == "waiting") rank = 1;
        if (state == "starting") rank = 2;
        if (state == "downloading") rank = 3;
        if (state == "failed") rank = 4;
        if (rank <= worst) continue;
        worst = rank;
        doing = state + " " + json_or<std::string>(service, "artifact", "?");
        const auto detail = json_or<std::string>(service, "detail", "");
        const bool said = state == "downloading" && detail.starts_with("fetching ");
        if (!detail.empty() && !said) doing += ": " + detail;
    }
    return doing;
}

/// Why a server does not take this plan, or "".
std::string refusal_of(const Json& server, std::uint64_t seq) {
    for (const auto& each : json_or<Json>(server, "refusals", Json::array())) {
        if (json_or<std::string>(each, "document", "") == "plan" &&
            json_or<std::uint64_t>(each, "seq", 0) == seq) {
            return json_or<std::string>(each, "message", "for a reason it does not say");
        }
    }
    return "";
}

std::uint64_t since(std::uint64_t now, std::uint64_t before) {
    return now > before ? now - before : 0;
}

}  // namespace

Progress::Progress(std::uint64_t seq, std::set<std::string> artifacts)
    : seq_(seq), wanted_(std::move(artifacts)) {}

ServerProgress Progress::server_of(const Json& server) const {
    ServerProgress out;
    out.hostname = json_or<std::string>(server, "server", "?");
    out.state = json_or<std::string>(server, "state", "unknown");
    const bool here = json_or<std::uint64_t>(server, "plan_seq", 0) >= seq_;
    out.settled = here && json_or(server, "settled", false);
    out.failed = here && json_or(server, "failed", false);
    const auto services = json_or<Json>(server, "services", Json::array());
    out.services = services.size();
    for (const auto& service : services) {
        const auto state = json_or<std::string>(service, "state", "");
        out.up += state == "running" ? 1U : 0U;
    }
    const auto refusal = here ? "" : refusal_of(server, seq_);
    out.doing = here              ? doing_of(services)
                : refusal.empty() ? "waiting for the plan"
                                  : "refused the plan: " + refusal;
    return out;
}

ArtifactProgress Progress::artifact_of(const Json& artifact, std::int64_t now_ms) {
    ArtifactProgress out;
    out.name = json_or<std::string>(artifact, "artifact", "?") + "@" +
               json_or<std::string>(artifact, "version", "?");
    out.size_bytes = json_or<std::uint64_t>(artifact, "size_bytes", 0);
    out.fetcher = json_or<std::string>(artifact, "fetcher", "");
    out.holders = json_or<Json>(artifact, "holders", Json::array()).size();
    const auto progress = json_or<Json>(artifact, "progress", Json::object());
    out.fraction = progress.empty() ? 0 : 1;
    for (const auto& each : progress) {
        ++out.wanted_by;
        out.fraction = std::min(out.fraction, each.is_number() ? each.get<double>() : 0);
    }
    out.errors = json_or<std::vector<std::string>>(artifact, "errors", {});

    const auto wan = json_or<std::uint64_t>(artifact, "wan_bytes", 0);
    const auto lan = json_or<std::uint64_t>(artifact, "lan_bytes", 0);
    auto [at, fresh] = history_.try_emplace(out.name);
    auto& history = at->second;
    if (fresh && out.complete()) {
        // Held before the watch began: what it cost then is not this deployment's.
        history.wan_before = wan;
        history.lan_before = lan;
    }
    out.wan_bytes = since(wan, history.wan_before);
    out.lan_bytes = since(lan, history.lan_before);
    auto& samples = history.samples;
    samples.push_back({now_ms, out.wan_bytes, out.lan_bytes, out.fraction});
    while (samples.size() > 2 && now_ms - samples.front().at_ms > window_ms) samples.pop_front();
    const auto& first = samples.front();
    const double seconds = static_cast<double>(now_ms - first.at_ms) / 1000.0;
    if (seconds > 0.2) {
        out.wan_rate = static_cast<double>(since(out.wan_bytes, first.wan_bytes)) / seconds;
        out.lan_rate = static_cast<double>(since(out.lan_bytes, first.lan_bytes)) / seconds;
        const double gained = (out.fraction - first.fraction) / seconds;
        if (gained > 0 && !out.complete()) out.remaining_s = (1 - out.fraction) / gained;
    }
    return out;
}

void Progress::update(const Json& status, std::int64_t now_ms) {
    servers_.clear();
    artifacts_.clear();
    for (const auto& server : json_or<Json>(status, "servers", Json::array())) {
        servers_.push_back(server_of(server));
    }
    for (const auto& artifact : json_or<Json>(status, "artifacts", Json::array())) {
        auto next = artifact_of(artifact, now_ms);
        if (wanted_.empty() || wanted_.contains(next.name)) artifacts_.push_back(std::move(next));
    }
}

}  // namespace clarity::cli
