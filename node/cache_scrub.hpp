#pragma once

#include <utility>  // before any Boost.Asio header: 1.74 forgets it

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "node/deploy/worker_pool.hpp"
#include "storage/cache/cache.hpp"

namespace clarity {

struct CacheScrubSettings {
    std::uint32_t percent_a_day = 10;          ///< of the cache's bytes; 0 = never by itself
    std::uint64_t rate_bytes_s = 16ULL << 20;  ///< while it reads by itself
    std::int64_t first_after_s = 60;           ///< a start has better things to do
};

/// What it asks of its owner; all called on the loop. None may be empty.
struct CacheScrubHooks {
    /// The artifact's manifest where it is held: with it the good pieces stay.
    std::function<std::optional<Manifest>(const Digest&)> manifest;
    std::function<void(const Manifest&)> repair;  ///< get what is missing, from peers first
    std::function<void(const Digest&)> dropped;   ///< gone: offer it no more
    std::function<void()> changed;                ///< notices() has something else to say
};

/// What verification found, of one artifact.
struct Verified {
    std::string artifact;
    std::string version;
    Digest sha256;
    std::uint64_t size_bytes = 0;
    ArtifactCache::Verdict verdict = ArtifactCache::Verdict::good;
    SetAside aside;     ///< of a damaged one
    std::string error;  ///< it could not be looked at, or not put aside
};

struct CacheScrubTotals {
    std::uint64_t verified_bytes = 0;
    std::uint64_t damaged = 0;   ///< artifacts
    std::uint64_t repaired = 0;  ///< of these, whole again
};

/// Reads the cache again, a share a day, the longest unread artifact first, on a thread of low
/// processor and disk priority; and all of it at once when asked. What is damaged is put aside
/// before its hash is even told, and fetched again. Where it was survives a restart: each
/// artifact's last verification is in the cache's index, the time of the next one in the store.
/// Loop thread only.
class CacheScrub : public std::enable_shared_from_this<CacheScrub> {
  public:
    /// `loop`, `cache` and `store` outlive it.
    CacheScrub(boost::asio::io_context& loop, ArtifactCache& cache, KeyValueStore& store,
               CacheScrubSettings settings, CacheScrubHooks hooks);
    void start();
    /// Stops the worker within a moment; nothing is called back afterwards.
    void end();

    using Done = std::function<void(std::vector<Verified>)>;
    /// Now, one after the other, as fast as the disk gives them. Unknown ones come back absent.
    void verify(std::vector<Digest> artifacts, Done done);
    /// The artifact is whole again; to be called for every one that becomes complete.
    void completed(const Digest& sha256);
    /// It was dropped for room: nobody waits for its repair any more.
    void forget(const Digest& sha256) { damaged_.erase(sha256); }

    /// Lines for an operator: what is damaged and not repaired yet.
    [[nodiscard]] std::vector<std::string> notices() const;
    [[nodiscard]] const CacheScrubTotals& totals() const { return totals_; }

  private:
    void schedule();
    void step();
    void look(const Digest& sha256, std::uint64_t rate_bytes_s, std::function<void(Verified)> then);
    void judged(const Verified& found, const std::optional<Manifest>& manifest);
    void verify_next(std::shared_ptr<std::deque<Digest>> left,
                     std::shared_ptr<std::vector<Verified>> found, Done done);

    boost::asio::io_context& loop_;
    ArtifactCache& cache_;
    KeyValueStore& store_;
    CacheScrubSettings settings_;
    CacheScrubHooks hooks_;
    boost::asio::steady_timer timer_;
    std::int64_t next_unix_s_ = 0;
    CacheScrubTotals totals_;
    std::map<Digest, std::string> damaged_;  ///< not whole again yet, with the line for people
    bool ended_ = false;
    std::stop_source stop_;
    std::optional<WorkerPool> worker_{std::in_place, 1U};  ///< last: ends first
};

/// When the next artifact is due, in seconds after one of `size_bytes`, so that `percent` of
/// `total_bytes` are read in a day. Pure.
[[nodiscard]] std::int64_t scrub_pause_s(std::uint64_t size_bytes, std::uint64_t total_bytes,
                                         std::uint32_t percent);

}  // namespace clarity
