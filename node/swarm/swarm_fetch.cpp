#include <algorithm>
#include <numeric>

#include "node/swarm/swarm_impl.hpp"
#include "protocol/log/log.hpp"

namespace clarity {

namespace {

/// Jitter that differs between servers and attempts, and replays.
std::uint64_t seed_of(const Digest& sha256, const std::string& server_id, std::uint64_t attempt) {
    return std::hash<std::string>{}(server_id + sha256.bytes() + std::to_string(attempt));
}

}  // namespace

/// One step of the election, carried out.
void Swarm::Impl::elect(Item& item) {
    if (!item.wanted || !site_known_) return;
    auto view = view_of(item);
    const auto pass = own_pass(item, view);
    view.passes[settings_.server_id] = pass.level;
    const auto now = swarm_now_ms();
    const auto decision = item.election.step(now, view);
    if (decision == election::Decision::fetch && !item.fetch && !awaits_base(item)) {
        start_fetch(item);
    }
    if (decision == election::Decision::stop && item.fetch) {
        const bool stalled = item.election.back_until_ms() > now;
        const bool passed = pass.level != election::Pass::none;
        if (view.needed && view.able && !stalled && !passed) count_duplicates(item, view);
        stop_fetch(item);
        if (stalled) {
            pass_softly(item, "no bytes came to it from the repository",
                        item.election.back_until_ms() - now);
        }
    }
    const bool pending = item.phase == Phase::preparing || item.phase == Phase::resting;
    tell_pass(item, view.needed || pending ? pass : OwnPass{});
}

/// Two pulled the same, in one order from the start: what both have of it was pulled twice.
void Swarm::Impl::count_duplicates(Item& item, const election::View& view) {
    std::uint32_t rival = 0;
    for (const auto& [server, claim] : view.claims) rival = std::max(rival, claim.pieces_fetched);
    const auto twice = std::min(rival, item.counters->pieces.load());
    const auto pulled = item.counters->wan_bytes.load() - item.wan_from_bytes;
    item.counters->was_spare(
        std::min(std::uint64_t{twice} * item.manifest->piece_size_bytes, pulled));
}

election::View Swarm::Impl::view_of(Item& item) {
    const Digest& sha256 = item.manifest->sha256;
    election::View view;
    for (const auto& [server, claims] : site_.servers) {
        if (!claims.alive || server == settings_.server_id) continue;
        for (const auto& claim : claims.claims) {
            if (claim.sha256 != sha256) continue;
            view.claims[server] = {claim.since_unix_ms, claim.pieces_fetched, claim.rate_bytes_s};
        }
        const bool candidate = item.candidates.empty() || item.candidates.contains(server);
        const Holding* holding = claims.holding(sha256);
        if (!candidate || (holding != nullptr && holding->complete)) continue;
        view.alive.push_back(server);
        if (claims.wan_closed) {
            view.passes[server] = election::Pass::hard;
        } else if (const auto* pass = claims.pass(sha256)) {
            view.passes[server] = pass->willing ? election::Pass::soft : election::Pass::hard;
        }
    }
    view.bases = bases_of(item, view.alive);
    view.needed = needed(item);
    view.able = site_heard() && session_->link(sha256) != nullptr;
    view.own_progress =
        item.counters->wan_bytes.load() + item.lan_bytes + item.have_count + item.base.life;
    return view;
}

/// Who of the candidates holds another version whole. As the records say it, also of this node:
/// all must see the same.
std::set<std::string> Swarm::Impl::bases_of(const Item& item,
                                            const std::vector<std::string>& candidates) const {
    const Manifest& wanted = *item.manifest;
    std::set<std::string> out;
    for (const auto& server : candidates) {
        const auto& holdings = site_.servers.at(server).holdings;
        if (std::any_of(holdings.begin(), holdings.end(), [&](const Holding& each) {
                return each.complete && each.artifact == wanted.artifact &&
                       each.sha256 != wanted.sha256;
            })) {
            out.insert(server);
        }
    }
    for (const auto& [sha256, other] : items_) {
        if (other.phase == Phase::complete && sha256 != wanted.sha256 &&
            other.manifest->artifact == wanted.artifact) {
            out.insert(settings_.server_id);
        }
    }
    return out;
}

/// Whether the origin is needed: not while a whole copy at the site is coming in.
bool Swarm::Impl::needed(Item& item) {
    if (item.phase != Phase::running) return false;
    bool holder = false;
    for (const auto& [server, claims] : site_.servers) {
        if (!claims.alive || server == settings_.server_id) continue;
        if (offenders_.barred(server, swarm_now_ms())) continue;
        const Holding* holding = claims.holding(item.manifest->sha256);
        if (holding != nullptr && holding->complete) holder = true;
    }
    if (!holder) {
        item.holder_since_ms = -1;
        return true;
    }
    const auto now = swarm_now_ms();
    if (item.holder_since_ms < 0) item.holder_since_ms = now;
    return now - std::max(item.holder_since_ms, item.lan_progress_ms) >=
           settings_.holder_patience_ms;
}

/// Just after a start, who holds or fetches what is not known yet: pulling then would pull again
/// what the site has.
bool Swarm::Impl::site_heard() const {
    if (swarm_now_ms() - started_ms_ >= settings_.hearing_ms) return true;
    return std::all_of(site_.servers.begin(), site_.servers.end(),
                       [](const auto& each) { return each.second.heard; });
}

std::vector<swarm::FetchSource> Swarm::Impl::sources_of(const Item& item) const {
    std::vector<swarm::FetchSource> out;
    for (const auto& source : item.manifest->sources) {
        const auto* access = repositories_.find(source.repository_id);
        if (access != nullptr) out.push_back({*access, source.path});
    }
    return out;
}

std::size_t Swarm::Impl::running_fetches() const {
    const auto running = std::count_if(items_.begin(), items_.end(),
                                       [](const auto& each) { return holds_claim(each.second); });
    return static_cast<std::size_t>(running);
}

void Swarm::Impl::start_fetch(Item& item) {
    const Digest sha256 = item.manifest->sha256;
    swarm::Fetch::Input input;
    input.manifest = item.manifest;
    input.sources = sources_of(item);
    input.settings.retry_min_ms = settings_.retry_min_ms;
    input.settings.retry_max_ms = settings_.retry_max_ms;
    input.settings.unwritten_max_bytes = settings_.unwritten_max_bytes;
    input.link = session_->link(sha256);
    input.counters = item.counters;
    input.limiter = limiter_;
    input.cache = &cache_;
    item.fetch_id = ++fetch_ids_;
    input.seed = seed_of(sha256, settings_.server_id, item.fetch_id);
    for (const auto& peer : peers_) {
        const auto found = site_.servers.find(peer.server_id);
        if (found == site_.servers.end() || !found->second.alive) continue;
        if (peer.server_id == settings_.server_id) continue;
        const Holding* holding = found->second.holding(sha256);
        if (holding != nullptr && holding->pieces_have > 0) ++input.peers_expected;
    }
    item.counters->pieces = 0;
    item.claim_since_unix_ms = swarm_now_unix_ms();
    item.rate_bytes_s = 0;
    item.rate_from_bytes = item.wan_from_bytes = item.counters->wan_bytes.load();
    item.rates.clear();
    log::info_for(item.correlation_id, "swarm: fetching {}@{} from {} for the site (rank {})",
                  item.manifest->artifact, item.manifest->version, input.sources[0].access.id,
                  item.election.own_rank());
    swarm::FetchHooks hooks;
    hooks.on_plan = [this, sha256, id = item.fetch_id](const swarm::FetchPlan& plan) {
        post([sha256, id, plan](Impl& self) { self.fetch_planned(sha256, id, plan); });
    };
    hooks.on_warning = [this, sha256, id = item.fetch_id](const Error& error) {
        post([sha256, id, error](Impl& self) { self.fetch_warned(sha256, id, error); });
    };
    hooks.on_out_of_reach = [this, sha256, id = item.fetch_id](const Error& error) {
        post([sha256, id, error](Impl& self) { self.out_of_reach(sha256, id, error); });
    };
    hooks.on_end = [this, sha256, id = item.fetch_id](const Result<void>& result) {
        post([sha256, id, result](Impl& self) { self.fetch_ended(sha256, id, result); });
    };
    session_->set_producing(sha256, true);
    item.fetch = std::make_unique<swarm::Fetch>(std::move(input), std::move(hooks));
    changed(true);
}

void Swarm::Impl::stop_fetch(Item& item) {
    if (!item.fetch) return;
    item.fetch->stop();
    ending_[item.fetch_id] = std::move(item.fetch);
    session_->set_producing(item.manifest->sha256, false);
    item.rate_bytes_s = 0;
    changed(true);
}

void Swarm::Impl::fetch_planned(const Digest& sha256, std::uint64_t id,
                                const swarm::FetchPlan& plan) {
    ++(plan.delta ? totals_.delta_fetches : totals_.whole_fetches);
    const Item* item = find(sha256);
    if (item == nullptr || item->fetch_id != id) return;
    log::info_for(item->correlation_id, "swarm: {}@{}: {}", item->manifest->artifact,
                  item->manifest->version, plan.reason);
}

void Swarm::Impl::fetch_warned(const Digest& sha256, std::uint64_t id, const Error& error) {
    Item* item = find(sha256);
    if (item == nullptr || item->fetch_id != id) return;
    item->error = error.message;
    item->error_passing = error.code != Errc::invalid;
    log::warning_for(item->correlation_id, "swarm: {}", error.message);
    changed(true);
}

void Swarm::Impl::fetch_ended(const Digest& sha256, std::uint64_t id, const Result<void>& result) {
    ending_.erase(id);
    Item* item = find(sha256);
    if (item == nullptr || item->fetch_id != id || !item->fetch) return;
    item->fetch.reset();
    session_->set_producing(sha256, false);
    item->rate_bytes_s = 0;
    changed(true);
    const auto now = swarm_now_ms();
    if (result) {  // all pieces are here; the torrent's reports follow
        item->election.stand_back(now, settings_.fetch_delay_ms);
    } else {
        if (item->phase == Phase::running) failed(*item, result.error());
        const auto backoff = error_backoff_ms(*item, result.error().code);
        item->election.stand_back(now, backoff);
        pass_softly(*item, "its last try failed", backoff);
        elect(*item);
    }
}

void Swarm::Impl::measure_rate(Item& item) {
    if (!item.fetch) return;
    const auto bytes = item.counters->wan_bytes.load();
    const auto rate = bytes - item.rate_from_bytes;  // called once a second
    item.rate_from_bytes = bytes;
    if (rate > 0) bytes_came(item);
    if (rate > 0 && item.error_passing) {
        item.error.clear();
        item.error_passing = false;
    }
    // Whose claim stays the same is held to be stalled, and a limited rate is the same each second.
    const auto told = rate == 0 ? 0 : rate + item.told_rates++ % 16;
    if (told != item.rate_bytes_s) changed(false);
    item.rate_bytes_s = told;
    item.rates.push_back(rate);
    constexpr std::size_t samples_max = election::slow_window_ms / 1000;
    if (item.rates.size() > samples_max) item.rates.pop_front();
    constexpr std::size_t best_of = 10;
    if (item.rates.size() < best_of) return;
    const auto mean = std::accumulate(item.rates.end() - best_of, item.rates.end(), 0ULL) / best_of;
    rate_best_bytes_s_ = std::max<std::uint64_t>(rate_best_bytes_s_, mean);
    if (item.rates.size() == samples_max) pass_if_slow(item);
}

/// Doubles with every error in a row, with jitter of a quarter. An origin that comes back is to be
/// found again soon: asking costs next to nothing then.
std::int64_t Swarm::Impl::error_backoff_ms(const Item& item, Errc code) const {
    const auto doublings = std::min<std::uint32_t>(item.errors > 0 ? item.errors - 1 : 0, 10);
    const bool passing = code == Errc::network || code == Errc::timeout;
    const auto most =
        passing ? settings_.unreachable_backoff_max_ms : settings_.error_backoff_max_ms;
    const auto full = std::min(settings_.error_backoff_min_ms << doublings, most);
    const auto seed = seed_of(item.manifest->sha256, settings_.server_id, item.errors);
    return full - static_cast<std::int64_t>(seed % static_cast<std::uint64_t>(full / 4 + 1));
}

}  // namespace clarity
