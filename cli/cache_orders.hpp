#pragma once

#include <string>
#include <vector>

#include "cli/server_orders.hpp"

namespace clarity::cli {

/// One order to servers of a site: POST …/cache/ORDER with `body`, then waits for what each of them
/// says. Servers out of reach are silent: not an error here.
struct CacheOrderRequest {
    std::string site;
    std::string_view order;  ///< "pin", "gc", …
    Json body;
    std::int64_t timeout_ms = 60'000;
};
[[nodiscard]] Result<std::vector<ServerAnswer>> order_caches(Session& session,
                                                             const CacheOrderRequest& request);

/// {"site", "order", "servers": [{"server", "state", "outcome", …its own words}]}.
[[nodiscard]] Json answers_json(const CacheOrderRequest& request,
                                const std::vector<ServerAnswer>& answers);

/// SITE and --server NAME…, which all of these commands take.
[[nodiscard]] Argument site_argument();
[[nodiscard]] Argument servers_option();

/// The request of a command with these arguments; with NAME@VERSION where it takes one.
[[nodiscard]] Result<CacheOrderRequest> cache_request(Session& session, const Arguments& arguments,
                                                      std::string_view order,
                                                      std::int64_t default_timeout_s = 60);

}  // namespace clarity::cli
