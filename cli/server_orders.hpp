#pragma once

#include <string>
#include <vector>

#include "cli/command.hpp"
#include "cli/session.hpp"

namespace clarity::cli {

/// A signed order to one server, and what it said to it.
struct ServerAnswer {
    std::string server;
    std::string server_id;
    std::string nonce;  ///< of the order
    std::string state;  ///< alive | suspect | dead | left | unknown, when the order went out
    enum class Outcome { done, failed, silent };
    Outcome outcome = Outcome::silent;
    std::string text;  ///< its own words; of failed: why
    Json result;       ///< of done, where the order is answered in JSON: `text`, parsed
};

/// What the coordinator says of a server: "server", "server_id", "state" and, once it was sent, the
/// order's "nonce".
[[nodiscard]] ServerAnswer order_from(const Json& json);

/// "done", "failed" or "no answer".
[[nodiscard]] std::string_view name_of(ServerAnswer::Outcome outcome);

/// Asks the coordinator until every server has answered or the time is up. Who is out of reach gets
/// the order if it comes back soon; nobody waits for that. Errors: the coordinator's; cancelled.
[[nodiscard]] Result<void> await_answers(const Api& api, std::vector<ServerAnswer>& orders,
                                         std::int64_t timeout_ms);

/// Says on standard error what went wrong where, and what that makes of the exit code: 1 a server
/// could not, 5 one was out of reach, 7 one did not answer in time, else 0.
[[nodiscard]] ExitCode report_answers(Session& session, const std::vector<ServerAnswer>& answers);

}  // namespace clarity::cli
