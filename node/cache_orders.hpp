#pragma once

#include <functional>
#include <string>

#include "node/cache_keeper.hpp"
#include "node/cache_scrub.hpp"
#include "protocol/cache_order.hpp"
#include "protocol/orders.hpp"

namespace clarity {

/// Carries out the signed orders about this server's cache (protocol/cache_order.hpp) and answers
/// in JSON. Loop thread only.
class CacheOrders {
  public:
    using Done = std::function<void(Result<std::string>)>;
    /// What it asks of its owner; all called on the loop. None may be empty.
    struct Hooks {
        std::function<void()> changed;  ///< pins did
        std::function<Result<void>(const CacheOrder&)> prefetch;
        std::function<Result<void>(const Digest&)> end_prefetch;
    };

    CacheOrders(ArtifactCache& cache, CacheKeeper& keeper, CacheScrub& scrub, Hooks hooks)
        : cache_(cache), keeper_(keeper), scrub_(scrub), hooks_(std::move(hooks)) {}

    /// The command must be one of cache_order::is_action(). `done` is called on the loop.
    void act(const Command& command, Done done);

  private:
    void set_pin(const CacheOrder& order, bool pinned, const Done& done);
    void prefetch(const CacheOrder& order, const Done& done);
    void collect(const CacheOrder& order, Done done);
    void verify(const CacheOrder& order, Done done);

    ArtifactCache& cache_;
    CacheKeeper& keeper_;
    CacheScrub& scrub_;
    Hooks hooks_;
};

}  // namespace clarity
