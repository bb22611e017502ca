#include "node/swarm/swarm.hpp"

#include <boost/asio/post.hpp>
#include <chrono>

#include "node/swarm/swarm_impl.hpp"
#include "protocol/log/log.hpp"
#include "storage/files.hpp"

namespace clarity {

namespace {
constexpr std::int64_t tick_ms = 250;     ///< while bytes come in
constexpr std::int64_t second_ms = 1000;  ///< rates, counters
/// Between reports of mere progress: each is a record that every member of the site verifies.
constexpr std::int64_t progress_ms = 2000;
constexpr std::int64_t wan_tick_ms = 5000;   ///< nothing to fetch: what to say of the WAN
constexpr std::int64_t idle_tick_ms = 2000;  ///< all is here: who fetches it from us changes
}  // namespace

std::int64_t swarm_now_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}
std::int64_t swarm_now_unix_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

Swarm::Impl::Impl(boost::asio::io_context& loop, SwarmSettings settings, ArtifactCache& cache,
                  SwarmCallbacks callbacks)
    : loop_(loop),
      settings_(std::move(settings)),
      cache_(cache),
      callbacks_(std::move(callbacks)),
      timer_(loop),
      wan_gate_(settings_.wan),
      limiter_(std::make_shared<swarm::RateLimiter>(settings_.wan_rate_limit_bytes_s)) {}

Swarm::Impl::~Impl() {
    closing_ = true;
    // Fetch threads block on libtorrent: they go first, all asked before one is waited for.
    for (auto& [sha256, item] : items_) {
        if (item.fetch) item.fetch->stop();
    }
    for (auto& [sha256, item] : items_) item.fetch.reset();
    ending_.clear();
    state_worker_.reset();  // before the hash worker, which it feeds
    hash_worker_.reset();
    if (session_) keep_last_second();
    session_.reset();
}

/// What tick_second() would have written; blocks.
void Swarm::Impl::keep_last_second() {
    for (auto& [sha256, item] : items_) {
        if (item.phase != Phase::running) continue;
        const auto link = session_->link(sha256);
        if (const auto site = link ? link->site() : std::nullopt) {
            got_stats(sha256, {site->own, item.lan_bytes, 0});
        }
        (void)cache_.mark_pieces(sha256, item.unmarked);
    }
    (void)swarm::save_counts(settings_.state_dir + "/counters.json", counts_now());
    count_wan();
    (void)save_ledger(settings_.state_dir + "/wan.json", wan_gate_.ledger());
}

Result<void> Swarm::Impl::start() {
    CLARITY_CHECK(make_dirs(settings_.state_dir, 0700));
    const std::string path = settings_.state_dir + "/counters.json";
    if (auto counts = swarm::load_counts(path)) {
        stored_counts_ = std::move(*counts);
    } else {
        log::warning("swarm: byte counters start at nothing: {}", counts.error().message);
    }
    open_ledger();
    swarm::SessionSettings session;
    session.listen = settings_.listen;
    session.certificate_pem = settings_.certificate_pem;
    session.private_key_pem = settings_.private_key_pem;
    session.seed = std::hash<std::string>{}(settings_.server_id);
    session.upload_limit_bytes_s = settings_.upload_limit_bytes_s;
    session.download_limit_bytes_s = settings_.download_limit_bytes_s;
    session.connections_max = settings_.connections_max;
    session.filter_addresses = settings_.filter_addresses;
    swarm::SessionEvents events;
    events.on_piece = [this](const Digest& sha256, std::uint32_t piece) {
        got_piece(sha256, piece);
    };
    events.on_stats = [this](const Digest& sha256, const swarm::TorrentStats& stats) {
        got_stats(sha256, stats);
    };
    events.on_ready = [this](const Digest& sha256) {
        if (Item* item = find(sha256)) dial(*item);
    };
    events.on_trouble = [this](const Digest& sha256, const Error& error) {
        got_trouble(sha256, error);
    };
    events.on_ban = [this](const Digest& sha256, const std::string& address) {
        caught(sha256, address);
    };
    CLARITY_TRY(session_,
                swarm::TorrentSession::start(loop_, std::move(session), std::move(events)));
    state_worker_ = std::make_unique<swarm::Worker>();
    hash_worker_ = std::make_unique<swarm::Worker>();
    look_at_wan();
    schedule_tick();
    return {};
}

Swarm::Impl::Item* Swarm::Impl::find(const Digest& sha256) {
    const auto found = items_.find(sha256);
    return found == items_.end() ? nullptr : &found->second;
}

Swarm::Impl::Item* Swarm::Impl::find(const Digest& sha256, std::uint64_t generation) {
    Item* item = find(sha256);
    return item != nullptr && item->generation == generation ? item : nullptr;
}

void Swarm::Impl::post(std::function<void(Impl&)> job) {
    boost::asio::post(loop_, [weak = weak_from_this(), job = std::move(job)] {
        if (const auto self = weak.lock()) job(*self);
    });
}

/// How long nothing depends on time alone; -1 = until something happens.
std::int64_t Swarm::Impl::tick_wait_ms() const {
    std::int64_t wait = change_due_ ? second_ms : wan_gate_.is_timed() ? wan_tick_ms : -1;
    for (const auto& [sha256, item] : items_) {
        const bool still = item.phase == Phase::complete && !item.fetch;
        const auto need = still ? idle_tick_ms : item.phase == Phase::resting ? second_ms : tick_ms;
        if (wait < 0 || need < wait) wait = need;
    }
    return wait;
}

/// To be called when something began that a tick must look at: sets the timer if it is not set, or
/// too late.
void Swarm::Impl::schedule_tick() {
    const auto wait = tick_wait_ms();
    const auto due = swarm_now_ms() + wait;
    if (wait < 0 || closing_ || (tick_due_ms_ >= 0 && tick_due_ms_ <= due)) return;
    tick_due_ms_ = due;
    timer_.expires_after(std::chrono::milliseconds(wait));
    timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
        const auto self = weak.lock();
        if (error || !self) return;
        self->tick_due_ms_ = -1;
        self->tick();
        self->schedule_tick();
    });
}

void Swarm::Impl::tick() {
    const auto now = swarm_now_ms();
    if (now - second_done_ms_ >= second_ms) {
        second_done_ms_ = now;
        tick_second();
    }
    look_at_wan();
    if (!items_.empty()) session_->ask_stats();  // answers for what moved only
    for (auto& [sha256, item] : items_) {
        mark_pieces(item);
        look_at_base(item);
        elect(item);
    }
    if (change_now_) report_change();
}

void Swarm::Impl::tick_second() {
    const auto now = swarm_now_ms();
    for (auto& [sha256, item] : items_) {
        measure_rate(item);
        measure_base(item);
        dial(item);
        if (item.phase == Phase::resting && now >= item.retry_ms) prepare(item);
    }
    if (!offenders_.empty()) let_in();  // whose time is over
    save_counters();
    save_wan();
    if (change_due_ && now - reported_ms_ >= progress_ms) report_change();
}

void Swarm::Impl::changed(bool at_once) {
    if (closing_) return;
    change_due_ = true;
    schedule_tick();
    if (!at_once || change_now_) return;
    change_now_ = true;
    post([](Impl& self) {
        if (self.change_now_) self.report_change();
    });
}

void Swarm::Impl::report_change() {
    change_due_ = change_now_ = false;
    reported_ms_ = swarm_now_ms();
    if (callbacks_.on_changed) callbacks_.on_changed();
}

swarm::CountsByArtifact Swarm::Impl::counts_now() const {
    auto counts = stored_counts_;
    for (const auto& [sha256, item] : items_) {
        const swarm::ByteCounts count{item.counters->wan_bytes.load(),
                                      item.lan_base_bytes + item.lan_bytes, wan_parts_of(item),
                                      item.counters->was_whole};
        if (count != swarm::ByteCounts{}) counts[sha256] = count;
    }
    return counts;
}

void Swarm::Impl::save_counters() {
    auto counts = counts_now();
    if (counts == stored_counts_) return;
    stored_counts_ = counts;
    state_worker_->submit([path = settings_.state_dir + "/counters.json",
                           counts = std::move(counts)](const std::stop_token&) {
        if (auto saved = swarm::save_counts(path, counts); !saved) {
            log::warning("swarm: byte counters are not kept: {}", saved.error().message);
        }
    });
}

void Swarm::Impl::set_peers(std::vector<SwarmPeer> peers) {
    peers_ = std::move(peers);
    let_in();
    for (auto& [sha256, item] : items_) dial(item);
}

void Swarm::Impl::set_site(SiteClaims site) {
    site_ = std::move(site);
    site_known_ = true;
    for (auto& [sha256, item] : items_) {
        elect(item);
        dial(item);
    }
}

void Swarm::Impl::set_repositories(RepositorySet repositories) {
    repositories_ = std::move(repositories);
}

std::vector<Holding> Swarm::Impl::holdings() const {
    std::vector<Holding> out;
    out.reserve(items_.size());
    for (const auto& [sha256, item] : items_) {
        Holding holding;
        holding.sha256 = sha256;
        holding.artifact = item.manifest->artifact;
        holding.version = item.manifest->version;
        holding.size_bytes = item.manifest->size_bytes;
        holding.pieces = static_cast<std::uint32_t>(item.manifest->piece_count());
        holding.complete = item.phase == Phase::complete;
        holding.pieces_have = holding.complete ? holding.pieces : item.have_count;
        holding.wan_bytes = item.counters->wan_bytes.load();
        holding.lan_bytes = item.lan_base_bytes + item.lan_bytes;
        holding.error = item.error;
        if (const auto parts = wan_parts_of(item); parts != WanParts{}) holding.wan_parts = parts;
        out.push_back(std::move(holding));
    }
    return out;
}

std::vector<FetchClaim> Swarm::Impl::claims() const {
    std::vector<FetchClaim> out;
    for (const auto& [sha256, item] : items_) {
        if (!holds_claim(item)) continue;
        out.push_back(
            {sha256, item.claim_since_unix_ms, item.counters->pieces.load(), item.rate_bytes_s});
    }
    return out;
}

std::size_t Swarm::Impl::connections() const {
    std::size_t out = 0;
    for (const auto& [sha256, item] : items_) out += item.peers;
    return out;
}

FetchTotals Swarm::Impl::fetch_totals() const {
    auto out = totals_;
    out.local_bytes = local_bytes_gone_;
    for (const auto& [sha256, item] : items_) out.local_bytes += item.counters->local_bytes.load();
    return out;
}

Swarm::Swarm(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Swarm::~Swarm() = default;

Result<std::unique_ptr<Swarm>> Swarm::start(boost::asio::io_context& loop, SwarmSettings settings,
                                            ArtifactCache& cache, SwarmCallbacks callbacks) {
    auto impl = std::make_shared<Impl>(loop, std::move(settings), cache, std::move(callbacks));
    CLARITY_CHECK(impl->start());
    return std::unique_ptr<Swarm>(new Swarm(std::move(impl)));
}

void Swarm::set_peers(std::vector<SwarmPeer> peers) {
    impl_->set_peers(std::move(peers));
}
void Swarm::set_site(SiteClaims site) {
    impl_->set_site(std::move(site));
}
void Swarm::set_repositories(RepositorySet repositories) {
    impl_->set_repositories(std::move(repositories));
}
void Swarm::pause_wan(std::int64_t until_unix_s, std::function<void(Result<void>)> done) {
    impl_->pause_wan(true, until_unix_s, std::move(done));
}
void Swarm::resume_wan(std::function<void(Result<void>)> done) {
    impl_->pause_wan(false, 0, std::move(done));
}
std::optional<WanReport> Swarm::wan() const {
    return impl_->wan();
}
void Swarm::want(const Manifest& manifest, std::string correlation_id,
                 const std::vector<std::string>& candidates) {
    impl_->want(manifest, std::move(correlation_id), candidates);
}
void Swarm::seed(const Manifest& manifest) {
    impl_->seed(manifest);
}
void Swarm::forget(const Digest& sha256) {
    impl_->forget(sha256);
}
std::vector<Holding> Swarm::holdings() const {
    return impl_->holdings();
}
std::vector<FetchClaim> Swarm::claims() const {
    return impl_->claims();
}
std::vector<FetchPass> Swarm::passes() const {
    return impl_->passes();
}
FetchTotals Swarm::fetch_totals() const {
    return impl_->fetch_totals();
}
std::map<std::string, std::uint64_t> Swarm::offenders() const {
    return impl_->offenders();
}
std::size_t Swarm::connections() const {
    return impl_->connections();
}
std::uint16_t Swarm::port() const {
    return impl_->port();
}

}  // namespace clarity
