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

bool too_slow(std::uint64_t rate_bytes_s, std::uint64_t successor_bytes_s, std::size_t passed) {
    const auto able = successor_bytes_s == 0 ? unmeasured_bytes_s : successor_bytes_s;
    return passed < slow_turns_max && rate_bytes_s < able / slow_factor;
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

Pass Election::own_pass(const View& view) const {
    const auto own = view.passes.find(self_);
    return own == view.passes.end() ? Pass::none : own->second;
}

/// Who passes just like that: not at all, or softly. Claims that do not move do not count.
std::vector<std::string> Election::standing(std::int64_t now_ms, const View& view,
                                            Pass level) const {
    std::vector<std::string> servers;
    if (own_pass(view) == level) servers.push_back(self_);
    for (const auto& server : view.alive) {
        const auto pass = view.passes.find(server);
        if ((pass == view.passes.end() ? Pass::none : pass->second) != level) continue;
        const auto found = seen_.find(server);
        if (found == seen_.end() || moving(found->second, now_ms)) servers.push_back(server);
    }
    return servers;
}

std::vector<std::string> Election::standing(std::int64_t now_ms, const View& view) const {
    auto servers = standing(now_ms, view, Pass::none);
    if (servers.empty()) servers = standing(now_ms, view, Pass::soft);
    return rank(artifact_, std::move(servers), view.bases);
}

std::string Election::successor(std::int64_t now_ms, const View& view) const {
    auto servers = standing(now_ms, view, Pass::none);
    std::erase(servers, self_);
    if (servers.empty()) return {};
    return rank(artifact_, std::move(servers), view.bases).front();
}

bool Election::must_stop(std::int64_t now_ms, const View& view) const {
    const auto pass = own_pass(view);
    if (!view.able || !view.needed || pass == Pass::hard) return true;
    const bool replaceable = !successor(now_ms, view).empty();
    if (pass == Pass::soft && replaceable) return true;
    std::vector<std::string> rivals{self_};
    for (const auto& [server, seen] : seen_) {
        if (moving(seen, now_ms)) rivals.push_back(server);
    }
    if (rank(artifact_, std::move(rivals), view.bases).front() != self_) return true;
    return now_ms - own_progress_ms_ >= settings_.stall_ms && replaceable;
}

Decision Election::step(std::int64_t now_ms, const View& view) {
    observe(now_ms, view);
    const auto ranked = standing(now_ms, view);
    const auto own = std::find(ranked.begin(), ranked.end(), self_);
    own_rank_ = static_cast<std::size_t>(own - ranked.begin());
    const bool passes = own_pass(view) != Pass::none;
    if (passed_ && !passes) hold_ms_ = view.alive.empty() ? 0 : settings_.delay_ms;
    passed_ = passes;
    if (fetching_) {
        if (!must_stop(now_ms, view)) return Decision::fetch;
        const bool stalled = now_ms - own_progress_ms_ >= settings_.stall_ms;
        if (stalled) back_until_ms_ = now_ms + settings_.stall_ms;  // let the others try
        fetching_ = waiting_ = false;
        return Decision::stop;
    }
    const bool claimed = std::any_of(seen_.begin(), seen_.end(),
                                     [&](const auto& each) { return moving(each.second, now_ms); });
    if (!view.able || !view.needed || own == ranked.end() || claimed || now_ms < back_until_ms_) {
        waiting_ = false;
        if (claimed) hold_ms_ = 0;  // what it waited for
        return Decision::wait;
    }
    if (!waiting_) {
        waiting_ = true;
        waiting_since_ms_ = now_ms;
    }
    const auto due_ms =
        waiting_since_ms_ + hold_ms_ + static_cast<std::int64_t>(own_rank_) * settings_.delay_ms;
    if (now_ms < due_ms) return Decision::wait;
    fetching_ = true;
    hold_ms_ = 0;
    own_progress_ms_ = now_ms;
    return Decision::fetch;
}

void Election::stand_back(std::int64_t now_ms, std::int64_t for_ms) {
    fetching_ = waiting_ = false;
    back_until_ms_ = std::max(back_until_ms_, now_ms + for_ms);
}

}  // namespace clarity::election
