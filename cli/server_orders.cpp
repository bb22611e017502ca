#include "cli/server_orders.hpp"

#include <algorithm>

#include "protocol/http/client.hpp"

namespace clarity::cli {
namespace {

using Outcome = ServerAnswer::Outcome;
constexpr std::int64_t poll_ms = 250;
constexpr std::int64_t poll_max_ms = 2000;
constexpr std::int64_t unreachable_wait_ms = 5000;  ///< for servers that the mesh holds dead

/// True when the answer is there.
Result<bool> look(const Api& api, ServerAnswer& order) {
    const auto got = api.get("/api/v1/agents/" + url_encode(order.server_id) + "/command/" +
                             url_encode(order.nonce));
    if (!got && got.error().code == Errc::not_found) return false;  // not yet
    if (!got) return tl::unexpected<Error>(got.error());
    order.text = json_or<std::string>(*got, "text", "");
    order.outcome = json_or(*got, "ok", false) ? Outcome::done : Outcome::failed;
    return true;
}

bool is_reachable(const ServerAnswer& answer) {
    return answer.state == "alive" || answer.state == "suspect";
}

}  // namespace

ServerAnswer order_from(const Json& json) {
    ServerAnswer out;
    out.server = json_or<std::string>(json, "server", "");
    out.server_id = json_or<std::string>(json, "server_id", "");
    out.nonce = json_or<std::string>(json, "nonce", "");
    out.state = json_or<std::string>(json, "state", "unknown");
    return out;
}

std::string_view name_of(Outcome outcome) {
    switch (outcome) {
        case Outcome::done: return "done";
        case Outcome::failed: return "failed";
        case Outcome::silent: break;
    }
    return "no answer";
}

Result<void> await_answers(const Api& api, std::vector<ServerAnswer>& orders,
                           std::int64_t timeout_ms) {
    const auto began = monotonic_ms();
    for (auto pause = poll_ms;; pause = std::min(poll_max_ms, pause * 3 / 2)) {
        bool waits = false;
        const auto waited = monotonic_ms() - began;
        for (auto& each : orders) {
            if (each.outcome != Outcome::silent) continue;
            CLARITY_TRY(const bool here, look(api, each));
            waits = waits || (!here && (is_reachable(each) || waited < unreachable_wait_ms));
        }
        if (!waits || waited >= timeout_ms) return {};
        if (!Terminal::wait(std::min(pause, timeout_ms - waited))) {
            return fail(Errc::cancelled, "no longer waited for; the order stands");
        }
    }
}

ExitCode report_answers(Session& session, const std::vector<ServerAnswer>& answers) {
    auto code = ExitCode::done;
    const auto worse = [&](ExitCode than) {
        // A failure says more than silence.
        if (code == ExitCode::done || than == ExitCode::error) code = than;
    };
    for (const auto& each : answers) {
        if (each.outcome == Outcome::failed) {
            session.note("{}: {}", each.server, each.text);
            worse(ExitCode::error);
        } else if (each.outcome == Outcome::silent && is_reachable(each)) {
            session.note("{}: no answer in time; it may still do it", each.server);
            worse(ExitCode::timeout);
        } else if (each.outcome == Outcome::silent) {
            session.note("{}: out of reach ({}); say it again when it is back", each.server,
                         each.state);
            worse(ExitCode::partial);
        }
    }
    return code;
}

}  // namespace clarity::cli
