#include <algorithm>
#include <numeric>

#include "node/swarm/swarm_impl.hpp"
#include "protocol/log/log.hpp"

namespace clarity {

namespace {
constexpr std::string_view slow_reason = "it is far slower than others were";
constexpr std::size_t reason_max_bytes = 200;

std::string why_closed(const WanReport& wan) {
    if (wan.state == "paused") return "its WAN is paused by an operator";
    if (wan.state == "closed") return "it is out of the hours of its WAN";
    return fmt::format("the day's WAN budget of {} bytes is used up", wan.budget_bytes);
}

/// Rounded up to a second: from the steady clock it would differ with each look.
std::int64_t unix_of(std::int64_t steady_ms) {
    return (swarm_now_unix_ms() + steady_ms - swarm_now_ms() + 999) / 1000 * 1000;
}
}  // namespace

WanParts Swarm::Impl::wan_parts_of(const Item& item) {
    return {item.counters->resumed_bytes.load(), item.counters->duplicate_bytes.load(),
            item.counters->repaired_bytes.load()};
}

/// Why this node leaves the artifact to the next in rank, if it does. What it must not comes before
/// what it would rather not.
Swarm::Impl::OwnPass Swarm::Impl::own_pass(const Item& item, const election::View& view) const {
    using enum election::Pass;
    if (wan_.state != "open") return {hard, why_closed(wan_), wan_.until_unix_ms};
    if (sources_of(item).empty()) return {hard, "it has no access to a repository of it", 0};
    if (item.phase == Phase::resting) return {hard, item.error, unix_of(item.retry_ms)};
    const bool ours = holds_claim(item);
    const auto others = running_fetches() - (ours ? 1 : 0);
    const auto busy = fmt::format("it fetches {} other{}", others, others == 1 ? "" : "s");
    if (!ours && others >= settings_.fetches_max) return {hard, busy, 0};
    if (swarm_now_ms() < item.pass_until_ms) {
        return {soft, item.pass_reason, unix_of(item.pass_until_ms)};
    }
    if (!ours && others > 0 && spares_us(view)) return {soft, busy, 0};
    return {};
}

/// Whether somebody as good is free: several artifacts at once are spread over several fetchers,
/// but one that holds another version of it, and so pulls less, is worth waiting for.
bool Swarm::Impl::spares_us(const election::View& view) const {
    const bool base = view.bases.contains(settings_.server_id);
    return std::any_of(view.alive.begin(), view.alive.end(), [&](const auto& server) {
        const auto& claims = site_.servers.at(server);
        return claims.claims.empty() && !view.passes.contains(server) &&
               (!base || view.bases.contains(server));
    });
}

/// In the record at once: the next in rank waits for nothing else.
void Swarm::Impl::tell_pass(Item& item, const OwnPass& pass) {
    std::optional<FetchPass> now;
    if (pass.level != election::Pass::none) {
        now = FetchPass{item.manifest->sha256, pass.reason.substr(0, reason_max_bytes),
                        pass.level == election::Pass::soft, pass.until_unix_ms};
    }
    const bool same =
        now.has_value() == item.told.has_value() &&
        (!now || (now->reason == item.told->reason && now->willing == item.told->willing &&
                  std::abs(now->until_unix_ms - item.told->until_unix_ms) <= 2000));
    if (same) return;
    if (now && !item.told) ++totals_.passes;
    if (now) {
        log::info_for(item.correlation_id, "swarm: {}@{} is left to others: {}",
                      item.manifest->artifact, item.manifest->version, now->reason);
    }
    item.told = std::move(now);
    changed(true);
}

void Swarm::Impl::pass_softly(Item& item, std::string reason, std::int64_t for_ms) {
    item.pass_reason = std::move(reason);
    item.pass_until_ms = swarm_now_ms() + for_ms;
}

/// Goes on trying where nobody else would do better.
void Swarm::Impl::out_of_reach(const Digest& sha256, std::uint64_t id, const Error& error) {
    Item* item = find(sha256);
    if (item == nullptr || item->fetch_id != id || !item->fetch) return;
    log::debug("swarm: {}", error.message);
    pass_softly(*item, "no repository of it answers there", settings_.error_backoff_min_ms);
    elect(*item);
}

void Swarm::Impl::bytes_came(Item& item) {
    if (item.pass_reason != slow_reason) item.pass_until_ms = 0;
}

/// Only where nothing else explains it: a limit of ours, or others that pull over the same link.
void Swarm::Impl::pass_if_slow(Item& item) {
    const auto mean = std::accumulate(item.rates.begin(), item.rates.end(), 0ULL) /
                      std::max<std::size_t>(item.rates.size(), 1);
    const auto limit = limiter_->limit_bytes_s();
    if (limit > 0 && mean * 2 >= limit) return;
    const auto& sha256 = item.manifest->sha256;
    std::size_t passed = 0;
    bool link_shared = running_fetches() > 1;
    for (const auto& [server, claims] : site_.servers) {
        if (!claims.alive || server == settings_.server_id) continue;
        link_shared = link_shared || !claims.claims.empty();
        const auto* pass = claims.pass(sha256);
        passed += pass != nullptr && pass->reason == slow_reason ? 1U : 0U;
    }
    if (link_shared) return;
    const auto successor = item.election.successor(swarm_now_ms(), view_of(item));
    const auto found = site_.servers.find(successor);
    if (found == site_.servers.end()) return;
    if (!election::too_slow(mean, found->second.wan_rate_bytes_s, passed)) return;
    log::warning_for(item.correlation_id, "swarm: {}@{}: {} bytes/s: another server is to try",
                     item.manifest->artifact, item.manifest->version, mean);
    pass_softly(item, std::string(slow_reason), settings_.slow_pass_ms);
    elect(item);
}

std::vector<FetchPass> Swarm::Impl::passes() const {
    std::vector<FetchPass> out;
    // A record has room for so many; what holds for all of them is in its `wan` as well.
    constexpr std::size_t told_max = 64;
    for (const auto& [sha256, item] : items_) {
        if (item.wanted && item.told && out.size() < told_max) out.push_back(*item.told);
    }
    return out;
}

}  // namespace clarity
