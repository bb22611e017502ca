#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "coordinator/bootstrap.hpp"
#include "coordinator/deployment_rows.hpp"
#include "coordinator/inventory_store.hpp"
#include "coordinator/manifests.hpp"
#include "coordinator/planner/planner.hpp"
#include "coordinator/rosters.hpp"
#include "coordinator/store.hpp"
#include "coordinator/vault.hpp"

namespace clarity::coordinator {

/// A plan as signed.
struct PublishedPlan {
    Plan plan;
    Digest digest;
    Bytes bytes;  ///< the envelope
};

/// What somebody wants deployed.
struct DeploymentOrder {
    std::string client;
    std::string datacenter;
    Environment environment = Environment::prod;
    std::string correlation_id;
    std::string by;
    bool dry_run = false;
    bool allow_downgrade = false;
    std::int64_t not_before_unix_s = 0;  ///< later: staged until then
    std::optional<Digest> inventory;     ///< absent = the one in force
    std::string rollback_of;
    std::uint64_t seq_seen = 0;  ///< the highest that the site's own records name
};

struct DeploymentOutcome {
    std::string site;
    bool published = false;
    bool unchanged = false;
    bool activates = false;            ///< what the site has staged begins now, or at another time
    std::optional<DeploymentRow> row;  ///< of the new plan, or of the current when unchanged
    Plan plan;
    std::vector<planner::Change> changes;
    std::vector<std::string> warnings;  ///< servers left out, and why
};

/// What a plan is made of, besides the order.
struct PlanSources {
    const InventoryStore& inventory;
    const Manifests& manifests;
    const Rosters& rosters;
    const Vault& vault;
    const Identity& identity;
};

/// Plans: made, numbered, signed, stored, and followed until they end. A site's `seq` rises by one
/// with each plan and is stored with it before anybody sees it. Loop thread only.
class Deployments {
  public:
    [[nodiscard]] static Result<Deployments> load(Store& store);

    [[nodiscard]] Result<DeploymentOutcome> create(const PlanSources& sources,
                                                   const DeploymentOrder& order,
                                                   std::int64_t now_unix_s);
    /// The order that brings back what ran before deployment `id`: not_found, or conflict where
    /// there was nothing before.
    [[nodiscard]] Result<DeploymentOrder> rollback_order(const std::string& id) const;

    /// The newest plan of a site, or null.
    [[nodiscard]] const PublishedPlan* current(const std::string& site) const;
    [[nodiscard]] const DeploymentRow* find(const std::string& id) const;
    /// The signed plan of a deployment, as it was published.
    [[nodiscard]] Result<Bytes> envelope(const std::string& id) const;
    /// Newest first; `site` empty = all.
    [[nodiscard]] std::vector<const DeploymentRow*> list(const std::string& site) const;
    /// Looks at the site's records again. Returns the deployments that have just ended.
    [[nodiscard]] Result<std::vector<DeploymentRow>> follow(const std::string& site,
                                                            const std::vector<ServerView>& views);

  private:
    explicit Deployments(Store& store) : store_(&store) {}
    [[nodiscard]] Result<void> publish(const PlanSources& sources, const DeploymentOrder& order,
                                       std::int64_t now_unix_s, const Digest& inventory,
                                       const Digest& basis, DeploymentOutcome& out);
    [[nodiscard]] const DeploymentRow* newest(const std::string& site) const;

    Store* store_;
    std::map<std::string, DeploymentRow> rows_;                        ///< by id
    std::map<std::string, std::map<std::uint64_t, std::string>> ids_;  ///< site → seq → id
    std::map<std::string, PublishedPlan> current_;                     ///< by site
};

}  // namespace clarity::coordinator
