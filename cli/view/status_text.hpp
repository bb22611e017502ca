#pragma once

#include <string>

#include "protocol/json.hpp"

namespace clarity::cli {

/// The status of a site (protocol/status.hpp) for people: who answers and how fresh it is, servers
/// with ages and witnesses, services, artifacts, then refusals and notices where there are any.
/// `now_unix_s` is for how long a service has been in its state.
[[nodiscard]] std::string status_text(const Json& status, std::size_t width_max,
                                      std::int64_t now_unix_s);

/// What a plan changes per server, from the answer to POST /api/v1/deployments. Lines whose action
/// is "none" are left out; "" where nothing changes.
[[nodiscard]] std::string changes_text(const Json& answer, std::size_t width_max);

/// How many changes the answer has, "none" not counted.
[[nodiscard]] std::size_t change_count(const Json& answer);

/// One line on what would cross the WAN, or "" where the site holds everything.
[[nodiscard]] std::string download_text(const Json& answer);

/// The servers of a deployment (GET /api/v1/deployments/{id}) and how each stands.
[[nodiscard]] std::string deployment_text(const Json& deployment, std::size_t width_max);

}  // namespace clarity::cli
