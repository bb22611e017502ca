#include "node/cache_keeper.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>

#include "protocol/artifact_marks.hpp"
#include "protocol/log/log.hpp"

namespace clarity {

CacheKeeper::CacheKeeper(boost::asio::io_context& loop, ArtifactCache& cache,
                         CacheKeeperSettings settings, CacheKeeperHooks hooks)
    : loop_(loop), cache_(cache), settings_(settings), hooks_(std::move(hooks)), timer_(loop) {}

void CacheKeeper::start() {
    schedule();
}

void CacheKeeper::end() {
    ended_ = true;
    timer_.cancel();
    worker_.reset();
}

void CacheKeeper::make_room(std::uint64_t incoming_bytes, std::function<void()> then) {
    run(incoming_bytes, false, [then = std::move(then)](const Result<Collection>&) { then(); });
}

void CacheKeeper::collect(bool dry_run, Collected done) {
    run(0, dry_run, std::move(done));
}

/// The site is looked at here, now; the worker has a copy of what it said.
void CacheKeeper::run(std::uint64_t incoming_bytes, bool dry_run, Collected done) {
    if (ended_) return;
    worker_->post([this, self = weak_from_this(), incoming_bytes, dry_run, copies = hooks_.copies(),
                   replicas = settings_.replicas_min, done = std::move(done)]() mutable {
        // `this` outlives its worker.
        auto result =
            cache_.collect([&](const CachedArtifact& each) { return copies.judge(each, replicas); },
                           incoming_bytes, dry_run);
        boost::asio::post(
            loop_, [self, result = std::move(result), dry_run, done = std::move(done)]() mutable {
                const auto me = self.lock();
                if (!me || me->ended_) return;
                me->collected(result, dry_run);
                done(std::move(result));
            });
    });
}

void CacheKeeper::collected(const Result<Collection>& result, bool dry_run) {
    const auto error = result ? std::string() : result.error().message;
    if (!error.empty() && error != last_error_) log::warning("cache: {}", error);
    last_error_ = error;
    if (!result || dry_run || result->dropped.empty()) return;
    for (const auto& each : result->dropped) {
        log::info("cache: {}@{} is dropped for room: {} bytes", each.artifact, each.version,
                  each.held_bytes);
        hooks_.dropped(each);
    }
    evicted_ += result->dropped.size();
    evicted_bytes_ += result->freed_bytes();
    hooks_.changed();
}

void CacheKeeper::schedule() {
    timer_.expires_after(std::chrono::milliseconds(settings_.collect_every_ms));
    timer_.async_wait([self = weak_from_this()](const auto& error) {
        const auto me = self.lock();
        if (error || !me || me->ended_) return;
        const auto limit = me->cache_.settings().size_max_bytes;
        // Pins that went may have left more than the mark; mostly there is nothing to do.
        if (limit != 0 &&
            me->cache_.size_bytes() > limit / 100 * me->cache_.settings().high_percent) {
            me->run(0, false, [](const Result<Collection>&) {});
        }
        me->hooks_.looked_at();
        me->schedule();
    });
}

void CacheKeeper::describe(Record& record) const {
    std::set<Digest> told;
    for (const auto& each : record.holdings) told.insert(each.sha256);
    auto whole = cache_.whole();
    std::erase_if(whole, [&](const auto& each) { return told.contains(each.sha256); });
    // Of too many, those that go first here: of these the others must know.
    if (whole.size() > artifact_marks_max) {
        std::sort(whole.begin(), whole.end(), [](const auto& a, const auto& b) {
            return std::tie(a.last_used_unix_s, a.sha256) < std::tie(b.last_used_unix_s, b.sha256);
        });
    }
    std::vector<Digest> kept;
    kept.reserve(whole.size());
    for (const auto& each : whole) kept.push_back(each.sha256);
    record.kept = artifact_marks(kept);
    std::vector<Digest> pinned;
    for (const auto& [sha256, owners] : cache_.pinned()) pinned.push_back(sha256);
    record.pinned = artifact_marks(pinned);
}

CacheTotals CacheKeeper::totals() const {
    CacheTotals out;
    out.limit_bytes = cache_.settings().size_max_bytes;
    for (const auto& each : cache_.list()) {
        out.size_bytes += each.held_bytes;
        out.pinned_bytes += each.pins.empty() ? 0 : each.held_bytes;
        ++out.artifacts;
    }
    out.evicted = evicted_;
    out.evicted_bytes = evicted_bytes_;
    return out;
}

}  // namespace clarity
