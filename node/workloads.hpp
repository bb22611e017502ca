#pragma once

#include <utility>

#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "node/config.hpp"
#include "node/identity.hpp"
#include "node/site_snapshot.hpp"
#include "protocol/orders.hpp"
#include "storage/kv.hpp"

namespace clarity {

/// Bytes moved and held, for the metrics.
struct WorkloadTotals {
    std::uint64_t wan_bytes = 0;
    std::uint64_t lan_bytes = 0;
    std::uint64_t cache_bytes = 0;
    std::size_t swarm_connections = 0;
    std::map<std::string, std::uint64_t> swarm_offenders;  ///< by server id: wrong pieces sent
    FetchTotals fetches;
};

/// What this server runs and what it needs for it: cache, swarm and deployment engine, joined up.
/// Given the accepted plan with its manifests and the site as the mesh sees it; tells when what it
/// has to say of itself changed. Loop thread only.
class Workloads {
  public:
    /// `changed` is called on the loop.
    [[nodiscard]] static Result<std::unique_ptr<Workloads>> start(
        boost::asio::io_context& loop, const AgentConfig& config, const Identity& identity,
        KeyValueStore& store, std::string ca_pem, std::function<void()> changed);
    ~Workloads();

    void set_site(const SiteSnapshot& site);
    /// Same plan again: does nothing. Waits for its not-before by itself.
    void apply(const Plan& plan, const std::map<Digest, Manifest>& manifests);
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
