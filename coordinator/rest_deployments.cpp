#include <algorithm>

#include "coordinator/rest_api.hpp"

namespace clarity::coordinator {
namespace {

/// Artifacts of a plan, whether the site has them, and what has to cross the WAN.
std::pair<Json, std::uint64_t> artifacts_of(const Core& core, const Plan& plan) {
    Json out = Json::array();
    std::uint64_t wan_bytes = 0;
    const auto* roster = core.rosters.find(plan.site());
    for (const auto& digest : plan.manifests) {
        const auto at = core.manifests.all().find(digest);
        if (at == core.manifests.all().end()) continue;
        const auto& manifest = at->second.manifest;
        bool held = false;
        for (const auto& member : roster->roster.members) {
            const auto* record = core.sites.record(plan.site(), member.server_id);
            if (record == nullptr) continue;
            for (const auto& each : record->holdings) {
                held = held || (each.complete && each.sha256 == manifest.sha256);
            }
        }
        if (!held) wan_bytes += manifest.size_bytes;
        out.push_back(Json{{"artifact", manifest.artifact},
                           {"version", manifest.version},
                           {"size_bytes", manifest.size_bytes},
                           {"held", held}});
    }
    return {out, wan_bytes};
}

Json changes_json(const std::vector<planner::Change>& changes) {
    Json out = Json::array();
    for (const auto& change : changes) {
        out.push_back(Json{{"server", change.server},
                           {"server_id", change.server_id},
                           {"service", change.service},
                           {"action", planner::name_of(change.action)},
                           {"from", change.from},
                           {"to", change.to},
                           {"reason", change.reason}});
    }
    return out;
}

Answer run_order(Api& api, Call& call, DeploymentOrder order) {
    Core& core = api.core;
    order.seq_seen = core.sites.highest(order.client + "/" + order.datacenter).plan_seq;
    CLARITY_CHECK(core.trust.current());
    const PlanSources sources{core.inventory, core.manifests, core.rosters, core.vault,
                              *core.identity};
    CLARITY_TRY(const auto outcome, core.deployments.create(sources, order, call.now_s()));
    const auto [artifacts, wan_bytes] = artifacts_of(core, outcome.plan);
    Json body{{"site", outcome.site}};
    if (outcome.row) {
        body["id"] = outcome.row->id;
        body["seq"] = outcome.row->seq;
        body["digest"] = outcome.row->digest.hex();
    }
    body["environment"] = name_of(outcome.plan.environment);
    body["unchanged"] = outcome.unchanged;
    body["dry_run"] = order.dry_run;
    body["changes"] = changes_json(outcome.changes);
    body["wan_bytes_expected"] = wan_bytes;
    body["artifacts"] = artifacts;
    body["warnings"] = outcome.warnings;
    if (!order.dry_run) {
        core.metrics.count("deployments_total",
                           {{"result", outcome.published ? "published" : "unchanged"}});
    }
    if (outcome.published) {
        api.audit(call, order.rollback_of.empty() ? "deployment.create" : "deployment.rollback",
                  outcome.site,
                  fmt::format("plan {} {}{}{}", outcome.row->seq, outcome.row->id,
                              order.rollback_of.empty() ? "" : " rolls back ", order.rollback_of));
        api.effects.site_changed(outcome.site);
    }
    return json_answer(body, outcome.published ? 201 : 200);
}

Answer create_deployment(Api& api, Call& call) {
    DeploymentOrder order;
    CLARITY_TRY(order.client, json_get<std::string>(call.body, "client"));
    CLARITY_TRY(order.datacenter, json_get<std::string>(call.body, "datacenter"));
    CLARITY_TRY(const auto text, json_get<std::string>(call.body, "environment"));
    const auto environment = environment_from(text);
    if (!environment) {
        return fail(Errc::invalid, "\"{}\" is not an environment: dev, staging, prod or mock",
                    text);
    }
    order.environment = *environment;
    order.correlation_id = json_or<std::string>(call.body, "correlation_id", "");
    if (order.correlation_id.size() > 128) {
        return fail(Errc::invalid, "correlation_id has more than 128 bytes");
    }
    order.by = call.actor;
    order.dry_run = json_or(call.body, "dry_run", false);
    order.allow_downgrade = json_or(call.body, "allow_downgrade", false);
    return run_order(api, call, order);
}

Answer roll_back(Api& api, Call& call) {
    CLARITY_TRY(auto order, api.core.deployments.rollback_order(call.param("id")));
    order.by = call.actor;
    order.correlation_id = json_or<std::string>(call.body, "correlation_id", "");
    order.dry_run = json_or(call.body, "dry_run", false);
    return run_order(api, call, order);
}

Answer get_deployment(Api& api, Call& call) {
    const Core& core = api.core;
    const auto* row = core.deployments.find(call.param("id"));
    if (row == nullptr) {
        return fail(Errc::not_found, "there is no deployment {}", call.param("id"));
    }
    CLARITY_TRY(const auto view, core.view(row->site, call.now_ms));
    Json body = deployment_json(*row);
    if (!is_final(row->state)) {
        body["state"] = name_of(deployment_state(row->seq, row->servers, view.servers));
    }
    const Json status = status_json(view);
    Json servers = Json::array();
    for (const auto& server : status.at("servers")) {
        const auto id = server.at("server_id").get<std::string>();
        if (std::find(row->servers.begin(), row->servers.end(), id) == row->servers.end()) continue;
        Json each = server;
        each["hostname"] = server.at("server");
        servers.push_back(std::move(each));
    }
    body["servers"] = servers;
    body["artifacts"] = status.at("artifacts");
    return json_answer(body);
}

Answer list_deployments(Api& api, Call& call) {
    CLARITY_TRY(const auto limit, limit_of(call, 100));
    Json out = Json::array();
    for (const auto* row : api.core.deployments.list(call.query("site"))) {
        if (out.size() >= limit) break;
        out.push_back(deployment_json(*row));
    }
    return json_answer(out);
}

}  // namespace

void Api::add_deployment_routes(Router& router) {
    router.add("GET", "/api/v1/deployments", Access::admin,
               [this](Call& call) { return list_deployments(*this, call); });
    router.add("POST", "/api/v1/deployments", Access::admin,
               [this](Call& call) { return create_deployment(*this, call); });
    router.add("GET", "/api/v1/deployments/{id}", Access::admin,
               [this](Call& call) { return get_deployment(*this, call); });
    router.add("GET", "/api/v1/deployments/{id}/envelope", Access::admin,
               [this](Call& call) -> Answer {
                   CLARITY_TRY(const auto bytes, core.deployments.envelope(call.param("id")));
                   return json_answer(envelope_json(bytes));
               });
    router.add("PUT", "/api/v1/deployments/{id}/rollback", Access::admin,
               [this](Call& call) { return roll_back(*this, call); });
}

}  // namespace clarity::coordinator
