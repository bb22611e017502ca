#include "cli/cache_orders.hpp"

#include "cli/artifact.hpp"

namespace clarity::cli {
namespace {

using Outcome = ServerAnswer::Outcome;

void parse_answer(ServerAnswer& answer) {
    if (answer.outcome != Outcome::done) return;
    auto result = parse_json(answer.text, 1U << 20);
    if (result) {
        answer.result = *std::move(result);
    } else {
        answer.outcome = Outcome::failed;
        answer.text = "answered in a form that this program does not know";
    }
}

}  // namespace

Result<std::vector<ServerAnswer>> order_caches(Session& session, const CacheOrderRequest& request) {
    CLARITY_TRY(const auto api, session.api());
    CLARITY_TRY(const auto path, site_path(request.site));
    CLARITY_TRY(
        const auto sent,
        api.post("/api/v1/sites/" + path + "/cache/" + std::string(request.order), request.body));
    std::vector<ServerAnswer> out;
    for (const auto& each : json_or<Json>(sent, "orders", Json::array())) {
        out.push_back(order_from(each));
    }
    CLARITY_CHECK(await_answers(api, out, request.timeout_ms));
    for (auto& each : out) parse_answer(each);
    return out;
}

Json answers_json(const CacheOrderRequest& request, const std::vector<ServerAnswer>& answers) {
    Json servers = Json::array();
    for (const auto& each : answers) {
        Json row{
            {"server", each.server}, {"state", each.state}, {"outcome", name_of(each.outcome)}};
        if (each.outcome == Outcome::failed) row["error"] = each.text;
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
