#pragma once

#include <utility>  // before any Boost.Asio header: 1.74 forgets it

#include <boost/asio/steady_timer.hpp>
#include <optional>
#include <set>

#include "node/cache_orders.hpp"
#include "node/deploy/deployment.hpp"
#include "node/prefetches.hpp"
#include "node/workloads.hpp"

namespace clarity {

/// What Workloads hides, and how its parts are joined. Owned by a shared_ptr: callbacks hold weak
/// ones. Loop thread only.
struct Workloads::Impl : std::enable_shared_from_this<Workloads::Impl> {
    Impl(boost::asio::io_context& io, const Identity& who, WorkloadHooks calls)
        : loop(io), identity(who), hooks(std::move(calls)), timer(io) {}

    boost::asio::io_context& loop;
    const Identity& identity;
    WorkloadHooks hooks;
    boost::asio::steady_timer timer;  ///< the plan's not-before
    std::unique_ptr<ArtifactCache> cache;
    std::shared_ptr<CacheKeeper> keeper;
    std::shared_ptr<CacheScrub> scrub;
    std::unique_ptr<CacheOrders> cache_orders;
    std::optional<Prefetches> prefetches;
    std::set<Digest> expected_manifests;  ///< of others' prefetches; what is here is offered
    std::set<Digest> needed;              ///< artifacts that the deployment asked for
    std::unique_ptr<Swarm> swarm;
    std::unique_ptr<Deployment> deployment;
    Plan plan;
    std::map<Digest, Manifest> manifests;
    std::map<Digest, std::string> fetch_errors;

    void changed() const { hooks.changed(); }

    // workloads.cpp
    DeployCallbacks deploy_callbacks();
    SwarmCallbacks swarm_callbacks();
    void need(const Manifest& manifest);
    void fetch(const Manifest& manifest, const std::string& correlation,
               std::vector<std::string> candidates);
    void open_repositories();
    void add_repositories(const std::string& whose, const Bytes& sealed, RepositorySet& all) const;
    void offer_versions();
    void apply_now();

    // workloads_cache.cpp
    CacheKeeperHooks keeper_hooks();
    CacheScrubHooks scrub_hooks();
    CacheOrders::Hooks order_hooks();
    [[nodiscard]] Result<void> prefetch(const CacheOrder& order);
    [[nodiscard]] Result<void> end_prefetch(const Digest& sha256);
    void end_prefetches(const std::vector<Digest>& artifacts);
    void fetch_ahead();
    void mend();
    void stage();
    void wait_to_begin();
    [[nodiscard]] bool is_staged() const;
};

}  // namespace clarity
