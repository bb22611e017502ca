#pragma once

#include <string>
#include <vector>

#include "protocol/status.hpp"

namespace clarity::coordinator {

/// How far a deployment is.
enum class DeploymentState { pending, running, done, failed, rolled_back };

[[nodiscard]] std::string_view name_of(DeploymentState state);
[[nodiscard]] DeploymentState deployment_state_from(std::string_view name);
/// Nothing more happens by itself.
[[nodiscard]] bool is_final(DeploymentState state);

/// State of plan `seq` from its servers' own records, and nothing else. Pure.
///
/// pending: no server has taken the plan. running: some have not settled. done: all settled at this
/// plan or a later one. failed: all settled that took it, and a service failed and is down.
/// rolled_back: the same, but every failed server runs what it ran before.
[[nodiscard]] DeploymentState deployment_state(std::uint64_t seq,
                                               const std::vector<std::string>& server_ids,
                                               const std::vector<ServerView>& site);

}  // namespace clarity::coordinator
