#pragma once

#include <memory>

#include "coordinator/audit.hpp"
#include "coordinator/auth.hpp"
#include "coordinator/bootstrap.hpp"
#include "coordinator/command_results.hpp"
#include "coordinator/config.hpp"
#include "coordinator/deployments.hpp"
#include "coordinator/inventory_store.hpp"
#include "coordinator/manifests.hpp"
#include "coordinator/metrics.hpp"
#include "coordinator/prefetches.hpp"
#include "coordinator/rosters.hpp"
#include "coordinator/site_state.hpp"
#include "coordinator/store.hpp"
#include "coordinator/tokens.hpp"
#include "coordinator/trust.hpp"
#include "coordinator/vault.hpp"

namespace clarity::coordinator {

/// All state of a coordinator, without its network. One per process; loop thread only. Parts that
/// refer to the store or the identity are kept alive by them being on the heap.
struct Core {
    Config config;
    std::unique_ptr<const Identity> identity;
    std::unique_ptr<Store> store;
    Trust trust;
    Manifests manifests;
    InventoryStore inventory;
    Tokens tokens;
    Vault vault;
    Rosters rosters;
    Deployments deployments;
    Prefetches prefetches;
    std::unique_ptr<Audit> audit;
    Auth auth;
    SiteState sites = {};
    CommandResults results = {};
    Counters metrics = {};

    /// Loads or makes everything under config.state_dir.
    [[nodiscard]] static Result<std::unique_ptr<Core>> open(const Config& config,
                                                            std::int64_t now_unix_s);

    /// True where the inventory in force has this datacenter.
    [[nodiscard]] bool knows_site(const std::string& site) const;
    /// Sites of the inventory in force and of the rosters, sorted.
    [[nodiscard]] std::vector<std::string> known_sites() const;
    /// A site as the coordinator sees it; not_found where nobody is enrolled and no plan exists.
    [[nodiscard]] Result<SiteView> view(const std::string& site, std::int64_t now_ms) const;
    void write_audit(std::int64_t now_unix_s, const AuditEntry& entry) {
        audit->write(now_unix_s, entry);
    }
};

}  // namespace clarity::coordinator
