#pragma once

#include <optional>
#include <string>

#include "protocol/json.hpp"

namespace clarity::cli {

/// What the program ends with. Documented; scripts decide by it.
enum class ExitCode : int {
    done = 0,
    error = 1,
    usage = 2,
    pending = 3,  ///< changes pending (plan)
    failed = 4,   ///< the deployment failed or was rolled back
    partial = 5,  ///< some servers not reached, or nobody to ask
    refused = 6,  ///< signature, token or policy refused
    timeout = 7,
    interrupted = 130  ///< Ctrl-C, as every shell expects
};

/// The exit code of an error that ends a command.
[[nodiscard]] ExitCode exit_of(Errc code);

/// How a deployment stands, from the coordinator's GET /api/v1/deployments/{id}.
struct DeploymentView {
    std::string state;  ///< pending | running | done | failed | rolled_back
    std::size_t servers = 0;
    std::size_t settled = 0;
    std::size_t failed = 0;
    std::size_t unreachable = 0;  ///< known dead, left or never heard of
    std::size_t waiting = 0;      ///< reachable and not settled yet
};

[[nodiscard]] DeploymentView view_of(const Json& deployment);

/// The exit code once a deployment is over; none while it runs. Where every server that can be
/// reached has settled and the others cannot be, it is over as far as anybody can see: partial.
/// `unreachable_ms` is for how long that has been so; `grace_ms` how long to wait for them.
[[nodiscard]] std::optional<ExitCode> outcome_of(const DeploymentView& view,
                                                 std::int64_t unreachable_ms,
                                                 std::int64_t grace_ms);

}  // namespace clarity::cli
