#include <charconv>

#include "coordinator/rest_api.hpp"

namespace clarity::coordinator {

Result<Bytes> envelope_of(const Json& body) {
    CLARITY_TRY(const auto text, json_get<std::string>(body, "envelope"));
    auto bytes = from_base64(text);
    if (!bytes) return fail_within("\"envelope\"", std::move(bytes));
    return *std::move(bytes);
}

Json envelope_json(std::string_view bytes) {
    return Json{{"envelope", to_base64(bytes)}};
}

Result<std::size_t> limit_of(const Call& call, std::size_t fallback) {
    const auto text = call.query("limit");
    if (text.empty()) return fallback;
    std::size_t out = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (error != std::errc() || end != text.data() + text.size() || out < 1 || out > 1000) {
        return fail(Errc::invalid, "limit must be from 1 to 1000, not \"{}\"", text);
    }
    return out;
}

void Api::audit(const Call& call, std::string action, std::string target, std::string detail) {
    core.write_audit(
        call.now_s(),
        {call.actor, std::move(action), std::move(target), std::move(detail),
         json_or<std::string>(call.body, "correlation_id", ""), call.request.remote_address});
}

Json Api::info_json() const {
    const auto& common = core.rosters.common();
    return Json{{"version", CLARITY_VERSION},
                {"coordinator_key", core.identity->signing.public_key().hex()},
                {"ca_pem", core.identity->ca_pem},
                {"root_version", core.trust.version()},
                {"root_digest", core.trust.has_root() ? core.trust.digest().hex() : ""},
                {"control_endpoint", common.address.control_endpoint},
                {"control_curve_key", common.address.curve_key.hex()},
                {"rest_url", common.address.rest_url}};
}

void Api::add_service_routes(Router& router) {
    router.add("GET", "/healthz", Access::open, [](Call&) -> Answer {
        return json_answer(Json{{"status", "ok"}, {"version", CLARITY_VERSION}});
    });
    router.add("GET", "/metrics", Access::open, [this](Call&) -> Answer {
        effects.update_gauges();
        http::Response out;
        out.content_type = "text/plain; version=0.0.4; charset=utf-8";
        out.body = core.metrics.text();
        return out;
    });
    router.add("GET", "/api/v1/info", Access::open,
               [this](Call&) -> Answer { return json_answer(info_json()); });
    router.add("GET", "/api/v1/audit", Access::admin, [this](Call& call) -> Answer {
        CLARITY_TRY(const auto limit, limit_of(call, 100));
        CLARITY_TRY(const auto entries, core.audit->tail(limit));
        return json_answer(entries);
    });
}

void Api::add_routes(Router& router) {
    add_service_routes(router);
    add_trust_routes(router);
    add_inventory_routes(router);
    add_artifact_routes(router);
    add_cache_routes(router);
    add_deployment_routes(router);
    add_agent_routes(router);
}

}  // namespace clarity::coordinator
