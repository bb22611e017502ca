#pragma once

#include <utility>  // before any Boost.Asio header: 1.74 forgets it

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "node/deploy/worker_pool.hpp"
#include "node/site_copies.hpp"
#include "protocol/record.hpp"
#include "storage/cache/cache.hpp"

namespace clarity {

struct CacheKeeperSettings {
    std::size_t replicas_min = 2;            ///< copies at the site, see SiteCopies
    std::int64_t collect_every_ms = 60'000;  ///< a look at the marks, besides before every download
};

/// What it asks of its owner; all called on the loop. None may be empty.
struct CacheKeeperHooks {
    std::function<SiteCopies()> copies;                  ///< as the newest records have it
    std::function<void(const CachedArtifact&)> dropped;  ///< gone: offer it no more
    std::function<void()> changed;                       ///< describe() has something else to say
    std::function<void()> looked_at;  ///< it looked at the marks; for what else is due now and then
};

/// What it did since it started, and how the cache is; for the metrics.
struct CacheTotals {
    std::uint64_t size_bytes = 0;
    std::uint64_t limit_bytes = 0;
    std::uint64_t pinned_bytes = 0;
    std::size_t artifacts = 0;
    std::uint64_t evicted = 0;
    std::uint64_t evicted_bytes = 0;
};

/// Keeps the cache within its limit without taking from the site what it needs, and says in this
/// server's record what is here. Loop thread only; files go on a worker.
class CacheKeeper : public std::enable_shared_from_this<CacheKeeper> {
  public:
    /// `loop` and `cache` outlive it.
    CacheKeeper(boost::asio::io_context& loop, ArtifactCache& cache, CacheKeeperSettings settings,
                CacheKeeperHooks hooks);
    /// Looks at the marks now and then from here on.
    void start();
    /// Stops the worker; nothing is called back afterwards.
    void end();

    /// Drops what may go for `incoming_bytes` more, then calls `then`, whether it is enough or not.
    void make_room(std::uint64_t incoming_bytes, std::function<void()> then);
    using Collected = std::function<void(Result<Collection>)>;
    /// The same without anything to come; `dry_run` only says what would go.
    void collect(bool dry_run, Collected done);

    /// Fills in what is kept beside the holdings, and the pins.
    void describe(Record& record) const;
    [[nodiscard]] CacheTotals totals() const;

  private:
    void run(std::uint64_t incoming_bytes, bool dry_run, Collected done);
    void collected(const Result<Collection>& result, bool dry_run);
    void schedule();

    boost::asio::io_context& loop_;
    ArtifactCache& cache_;
    CacheKeeperSettings settings_;
    CacheKeeperHooks hooks_;
    boost::asio::steady_timer timer_;
    std::uint64_t evicted_ = 0;
    std::uint64_t evicted_bytes_ = 0;
    std::string last_error_;
    bool ended_ = false;
    std::optional<WorkerPool> worker_{std::in_place, 1U};  ///< last: ends first
};

}  // namespace clarity
