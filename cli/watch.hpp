#pragma once

#include <set>
#include <string>

#include "cli/session.hpp"
#include "cli/view/outcome.hpp"

namespace clarity::cli {

/// A deployment to follow.
struct Watched {
    std::string id;
    std::uint64_t seq = 0;
    std::string site;
    std::set<std::string> artifacts;  ///< "name@version"
};

/// From the answer to POST deployments or PUT rollback.
[[nodiscard]] Watched watched_from(const Json& answer, const std::string& site);

/// Shows on standard error how the deployment goes until it is over, --timeout passes, or Ctrl-C:
/// a block drawn again and again on a terminal, a line per change elsewhere. Then writes the
/// deployment as data on standard output. A coordinator that goes away is asked again with backoff.
[[nodiscard]] Result<ExitCode> watch_deployment(Session& session, const Watched& watched);

/// POST /api/v1/deployments.
struct DeploymentRequest {
    std::string site;
    std::string environment;
    std::string correlation_id;
    bool dry_run = false;
    bool allow_downgrade = false;
    bool stage = false;                  ///< until it is published again
    std::int64_t not_before_unix_s = 0;  ///< or until then; 0 = at once
};
[[nodiscard]] Result<Json> post_deployment(Session& session, const DeploymentRequest& request);

/// The environment named, or the one of the plan that the site runs.
[[nodiscard]] Result<std::string> environment_or_running(Session& session, const std::string& site,
                                                         const std::string& named);

}  // namespace clarity::cli
