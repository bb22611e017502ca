#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/command.hpp"
#include "cli/session.hpp"

namespace clarity::cli {

/// What one server said to an order about its cache.
struct CacheAnswer {
    std::string server;
    std::string state;  ///< alive | suspect | dead | left | unknown, when the order went out
    enum class Outcome { done, failed, silent };
    Outcome outcome = Outcome::silent;
    Json result;        ///< of done: the server's own words
    std::string error;  ///< of failed
};

/// One order to servers of a site: POST …/cache/ORDER with `body`, then waits for what each of them
/// says. Servers out of reach are silent: not an error here.
struct CacheOrderRequest {
    std::string site;
    std::string_view order;  ///< "pin", "gc", …
    Json body;
    std::int64_t timeout_ms = 60'000;
};
[[nodiscard]] Result<std::vector<CacheAnswer>> order_caches(Session& session,
                                                            const CacheOrderRequest& request);

/// Says on standard error what went wrong where, and what that makes of the exit code: 1 a server
/// could not, 5 one was out of reach, 7 one did not answer in time, else 0.
[[nodiscard]] ExitCode report_answers(Session& session, const std::vector<CacheAnswer>& answers);

/// {"site", "order", "servers": [{"server", "state", "outcome", …its own words}]}.
[[nodiscard]] Json answers_json(const CacheOrderRequest& request,
                                const std::vector<CacheAnswer>& answers);

/// SITE and --server NAME…, which all of these commands take.
[[nodiscard]] Argument site_argument();
[[nodiscard]] Argument servers_option();

/// The request of a command with these arguments; with NAME@VERSION where it takes one.
[[nodiscard]] Result<CacheOrderRequest> cache_request(Session& session, const Arguments& arguments,
                                                      std::string_view order,
                                                      std::int64_t default_timeout_s = 60);

}  // namespace clarity::cli
