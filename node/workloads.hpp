#pragma once

#include <utility>

#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "node/cache_keeper.hpp"
#include "node/cache_scrub.hpp"
#include "node/config.hpp"
#include "node/identity.hpp"
#include "node/site_snapshot.hpp"
#include "protocol/orders.hpp"
#include "storage/kv.hpp"

namespace clarity {

/// Bytes moved and held, for the metrics.
struct WorkloadTotals {
    std::uint64_t wan_bytes = 0;
    WanParts wan_parts = {};  ///< of wan_bytes; the rest were first pulls
    std::uint64_t lan_bytes = 0;
    CacheTotals cache;
    CacheScrubTotals scrub;
    std::size_t swarm_connections = 0;
    std::map<std::string, std::uint64_t> swarm_offenders;  ///< by server id: wrong pieces sent
    FetchTotals fetches;
};

/// What the workloads ask of their owner; all called on the loop.
struct WorkloadHooks {
    std::function<void()> changed;  ///< describe() has something else to say
    std::function<SiteSnapshot()> site;
    /// Every manifest held: of the plan, of the one before it, of what is fetched ahead.
    std::function<const std::map<Digest, Manifest>&()> manifests;
    std::function<std::set<Digest>()> planned;  ///< artifacts of the plan and the one before it
};

/// What this server runs and what it needs for it: cache, swarm and deployment engine, joined up.
/// Given the accepted plan with its manifests and the site as the mesh sees it; tells when what it
/// has to say of itself changed. Loop thread only.
class Workloads {
  public:
    [[nodiscard]] static Result<std::unique_ptr<Workloads>> start(
        boost::asio::io_context& loop, const AgentConfig& config, const Identity& identity,
        KeyValueStore& store, std::string ca_pem, WorkloadHooks hooks);
    ~Workloads();

    void set_site(const SiteSnapshot& site);
    /// Same plan again: does nothing. Waits for its not-before by itself.
    void apply(const Plan& plan, const std::map<Digest, Manifest>& manifests);
    /// A manifest beside those of the plan came: starts what waited for it, and offers what is
    /// here.
    void manifests_changed();
    /// Somebody at the site is to fetch an artifact ahead: whoever has it needs this manifest to
    /// offer it. Fills wanted_manifests().
    void expect_manifest(const Digest& manifest);
    /// Manifests to get that no plan names.
    [[nodiscard]] std::set<Digest> wanted_manifests() const;
    void act(const Command& command, std::function<void(Result<std::string>)> done);

    /// Fills in services, holdings, claims, settled, failed and notices.
    void describe(Record& record) const;
    [[nodiscard]] WorkloadTotals totals() const;

  private:
    struct Impl;
    Workloads() = default;
    std::shared_ptr<Impl> impl_;
};

/// May this server's plan be applied yet: are all manifests here that its own services name?
[[nodiscard]] bool own_manifests_here(const Plan& plan, const std::string& server_id,
                                      const std::map<Digest, Manifest>& manifests);
/// The servers whose plan names this artifact: the candidates of its election, in plan order.
[[nodiscard]] std::vector<std::string> servers_wanting(const Plan& plan,
                                                       const std::map<Digest, Manifest>& manifests,
                                                       const Digest& sha256);

}  // namespace clarity
