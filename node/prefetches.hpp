#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "protocol/cache_order.hpp"
#include "storage/kv.hpp"

namespace clarity {

/// What this server was told to fetch before any plan names it: kept on disk, so that a restart
/// goes on with it. Ends when a plan names the artifact, by an unpin, or at its time. Loop thread
/// only.
class Prefetches {
  public:
    static constexpr std::size_t held_max = 64;

    /// What cannot be read is left out: the order can be given again. `store` outlives it.
    [[nodiscard]] static Result<Prefetches> load(KeyValueStore& store);

    /// Durable when it returns; again for the same artifact: the newer order counts. Fails with
    /// `unavailable` when there are too many.
    [[nodiscard]] Result<void> add(const CacheOrder& order);
    /// Nothing there is fine.
    [[nodiscard]] Result<void> remove(const Digest& sha256);
    /// By the artifact's digest.
    [[nodiscard]] const std::map<Digest, CacheOrder>& all() const { return orders_; }
    /// Those whose time is over.
    [[nodiscard]] std::vector<Digest> expired(std::int64_t now_unix_s) const;
    /// Digests of their manifests' envelopes.
    [[nodiscard]] std::set<Digest> manifests() const;

  private:
    explicit Prefetches(KeyValueStore& store) : store_(&store) {}
    KeyValueStore* store_;
    std::map<Digest, CacheOrder> orders_;
};

}  // namespace clarity
