#include "cli/cache_orders.hpp"

#include <algorithm>

#include "cli/artifact.hpp"
#include "cli/view/units.hpp"
#include "protocol/http/client.hpp"

namespace clarity::cli {
namespace {

using Outcome = CacheAnswer::Outcome;
constexpr std::int64_t poll_ms = 250;
constexpr std::int64_t poll_max_ms = 2000;
constexpr std::int64_t unreachable_wait_ms = 5000;  ///< for servers that the mesh holds dead

struct Pending {
    std::string server_id;
    std::string nonce;
};

std::string_view name_of(Outcome outcome) {
    switch (outcome) {
        case Outcome::done: return "done";
        case Outcome::failed: return "failed";
        case Outcome::silent: break;
    }
    return "no answer";
}

/// True when the answer is there.
Result<bool> look(const Api& api, const Pending& pending, CacheAnswer& answer) {
    const auto path =
        "/api/v1/agents/" + url_encode(pending.server_id) + "/command/" + pending.nonce;
    const auto got = api.get(path);
    if (!got && got.error().code == Errc::not_found) return false;  // not yet
    if (!got) return tl::unexpected<Error>(got.error());
    const auto text = json_or<std::string>(*got, "text", "");
    if (!json_or(*got, "ok", false)) {
        answer.outcome = Outcome::failed;
        answer.error = text;
        return true;
    }
    auto result = parse_json(text, 1U << 20);
    answer.outcome = result ? Outcome::done : Outcome::failed;
    if (result) answer.result = *std::move(result);
    else answer.error = "answered in a form that this program does not know";
    return true;
}

bool is_reachable(const CacheAnswer& answer) {
    return answer.state == "alive" || answer.state == "suspect";
}

}  // namespace

Result<std::vector<CacheAnswer>> order_caches(Session& session, const CacheOrderRequest& request) {
    CLARITY_TRY(const auto api, session.api());
    CLARITY_TRY(const auto path, site_path(request.site));
    CLARITY_TRY(
        const auto sent,
        api.post("/api/v1/sites/" + path + "/cache/" + std::string(request.order), request.body));
    std::vector<CacheAnswer> out;
    std::vector<Pending> pending;
    for (const auto& each : json_or<Json>(sent, "orders", Json::array())) {
        CacheAnswer answer;
        answer.server = json_or<std::string>(each, "server", "");
        answer.state = json_or<std::string>(each, "state", "unknown");
        out.push_back(std::move(answer));
        pending.push_back(
            {json_or<std::string>(each, "server_id", ""), json_or<std::string>(each, "nonce", "")});
    }
    const auto began = monotonic_ms();
    for (auto pause = poll_ms;; pause = std::min(poll_max_ms, pause * 3 / 2)) {
        bool waits = false;
        const auto waited = monotonic_ms() - began;
        for (std::size_t i = 0; i < out.size(); ++i) {
            if (out[i].outcome != Outcome::silent) continue;
            CLARITY_TRY(const bool here, look(api, pending[i], out[i]));
            // Who is out of reach gets the order if it comes back soon; nobody waits for that.
            waits = waits || (!here && (is_reachable(out[i]) || waited < unreachable_wait_ms));
        }
        if (!waits || waited >= request.timeout_ms) return out;
        if (!Terminal::wait(std::min(pause, request.timeout_ms - waited))) {
            return fail(Errc::cancelled, "no longer waited for; the order stands");
        }
    }
}

ExitCode report_answers(Session& session, const std::vector<CacheAnswer>& answers) {
    auto code = ExitCode::done;
    const auto worse = [&](ExitCode than) {
        // A failure says more than silence.
        if (code == ExitCode::done || than == ExitCode::error) code = than;
    };
    for (const auto& each : answers) {
        if (each.outcome == Outcome::failed) {
            session.note("{}: {}", each.server, each.error);
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

Json answers_json(const CacheOrderRequest& request, const std::vector<CacheAnswer>& answers) {
    Json servers = Json::array();
    for (const auto& each : answers) {
        Json row{
            {"server", each.server}, {"state", each.state}, {"outcome", name_of(each.outcome)}};
        if (!each.error.empty()) row["error"] = each.error;
        if (each.result.is_object()) row.update(each.result);
        servers.push_back(std::move(row));
    }
    return Json{{"site", request.site}, {"order", request.order}, {"servers", std::move(servers)}};
}

Argument site_argument() {
    return positional("SITE", "CLIENT/DATACENTER; default: the only one", false);
}

Argument servers_option() {
    return list_option("server", "NAME", "this server only (hostname or id); may be repeated");
}

Result<CacheOrderRequest> cache_request(Session& session, const Arguments& arguments,
                                        std::string_view order, std::int64_t default_timeout_s) {
    CacheOrderRequest out;
    out.order = order;
    out.body = Json::object();
    const auto* named = arguments.has("NAME@VERSION") ? "NAME@VERSION" : "artifact";
    if (arguments.has(named)) {
        CLARITY_TRY(const auto name, parse_artifact_name(arguments.text(named)));
        out.body["artifact"] = name.artifact;
        out.body["version"] = name.version;
    }
    CLARITY_TRY(out.site, session.site_or_only(arguments.text("SITE")));
    if (arguments.has("server")) out.body["servers"] = arguments.list("server");
    out.timeout_ms = session.timeout_ms(default_timeout_s);
    return out;
}

}  // namespace clarity::cli
