#pragma once

#include <string>
#include <vector>

#include "coordinator/deployment_state.hpp"
#include "coordinator/store.hpp"

namespace clarity::coordinator {

/// What is kept of a deployment besides its plan.
struct DeploymentRow {
    std::string id;
    std::uint64_t seq = 0;
    std::string site;
    std::string environment;
    Digest digest;     ///< of the plan's envelope
    Digest inventory;  ///< that it was made from
    Digest basis;      ///< keyed hash of what a plan holds sealed: servers' keys, repositories
    std::int64_t created_unix_s = 0;
    std::string by;
    std::string correlation_id;
    std::string rollback_of;  ///< deployment id; empty for a forward one
    DeploymentState state = DeploymentState::pending;
    std::vector<std::string> servers;  ///< ids, of the plan
};

/// As a row of the store, and back.
[[nodiscard]] Json row_to_store(const DeploymentRow& row);
[[nodiscard]] Result<DeploymentRow> row_from_store(const Json& json);
/// As the API shows it.
[[nodiscard]] Json deployment_json(const DeploymentRow& row);

}  // namespace clarity::coordinator
