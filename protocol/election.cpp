#include "protocol/election.hpp"

#include <algorithm>

#include "protocol/sha256.hpp"

namespace clarity::election {

std::vector<std::string> rank(const Digest& artifact, std::vector<std::string> servers,
                              const std::set<std::string>& bases) {
    std::sort(servers.begin(), servers.end());
    servers.erase(std::unique(servers.begin(), servers.end()), servers.end());
    std::vector<std::pair<Digest, std::string>> weighed;
    weighed.reserve(servers.size());
    for (auto& server : servers) {
        weighed.emplace_back(sha256(artifact.bytes() + server), std::move(server));
    }
    std::sort(weighed.begin(), weighed.end());
    servers.clear();
    for (auto& [weight, server] : weighed) servers.push_back(std::move(server));
    std::size_t first = 0;
    std::stable_partition(servers.begin(), servers.end(), [&](const auto& server) {
        return bases.contains(server) && first++ < bases_first_max;
    });
    return servers;
}

Election::Election(Settings settings, Digest artifact, std::string self)
    : settings_(settings), artifact_(artifact), self_(std::move(self)) {}

void Election::observe(std::int64_t now_ms, const View& view) {
    std::erase_if(seen_, [&](const auto& each) { return !view.claims.contains(each.first); });
    for (const auto& [server, claim] : view.claims) {
        if (server == self_) continue;
        const auto [at, fresh] = seen_.try_emplace(server, Seen{claim, now_ms});
        Seen& seen = at->second;
        if (fresh || seen.claim == claim) continue;
        // A rate that falls to nothing is not progress, any other news is.
        const bool progress = claim.since_unix_ms != seen.claim.since_unix_ms ||
                              claim.pieces_fetched != seen.claim.pieces_fetched ||
                              claim.rate_bytes_s > 0;
        if (progress) seen.progress_ms = now_ms;
        seen.claim = claim;
    }
    if (view.own_progress != own_progress_) {
        own_progress_ = view.own_progress;
        own_progress_ms_ = now_ms;
    }
}

bool Election::moving(const Seen& seen, std::int64_t now_ms) const {
    return now_ms - seen.progress_ms < settings_.stall_ms;
}

std::vector<std::string> Election::standing(std::int64_t now_ms, const View& view) const {
    std::vector<std::string> servers{self_};
    for (const auto& server : view.alive) {
        const auto found = seen_.find(server);
        if (found == seen_.end() || moving(found->second, now_ms)) servers.push_back(server);
    }
    return rank(artifact_, std::move(servers), view.bases);
}

bool Election::must_stop(std::int64_t now_ms, const View& view) const {
    if (!view.able || !view.needed) return true;
    std::vector<std::string> rivals{self_};
    for (const auto& [server, seen] : seen_) {
        if (moving(seen, now_ms)) rivals.push_back(server);
    }
    if (rank(artifact_, std::move(rivals), view.bases).front() != self_) return true;
    return now_ms - own_progress_ms_ >= settings_.stall_ms && !view.alive.empty();
}

Decision Election::step(std::int64_t now_ms, const View& view) {
    observe(now_ms, view);
    const auto ranked = standing(now_ms, view);
    own_rank_ =
        static_cast<std::size_t>(std::find(ranked.begin(), ranked.end(), self_) - ranked.begin());
    if (fetching_) {
        if (!must_stop(now_ms, view)) return Decision::fetch;
        const bool stalled = now_ms - own_progress_ms_ >= settings_.stall_ms;
        if (stalled) back_until_ms_ = now_ms + settings_.stall_ms;  // let the others try
        fetching_ = waiting_ = false;
        return Decision::stop;
    }
    const bool claimed = std::any_of(seen_.begin(), seen_.end(),
                                     [&](const auto& each) { return moving(each.second, now_ms); });
    if (!view.able || !view.needed || claimed || now_ms < back_until_ms_) {
        waiting_ = false;
        return Decision::wait;
    }
    if (!waiting_) {
        waiting_ = true;
        waiting_since_ms_ = now_ms;
    }
    const auto due_ms =
        waiting_since_ms_ + static_cast<std::int64_t>(own_rank_) * settings_.delay_ms;
    if (now_ms < due_ms) return Decision::wait;
    fetching_ = true;
    own_progress_ms_ = now_ms;
    return Decision::fetch;
}

void Election::stand_back(std::int64_t now_ms, std::int64_t for_ms) {
    fetching_ = waiting_ = false;
    back_until_ms_ = std::max(back_until_ms_, now_ms + for_ms);
}

}  // namespace clarity::election
