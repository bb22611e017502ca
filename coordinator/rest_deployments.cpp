#include <algorithm>
#include <set>

#include "coordinator/rest_api.hpp"
#include "protocol/staging.hpp"

namespace clarity::coordinator {
namespace {

/// What the servers of a site say that they hold, with the manifests it takes to reckon with it.
class SiteHoldings {
  public:
    SiteHoldings(const Core& core, const Plan& plan) : core_(core), plan_(plan) {
        for (const auto& member : core.rosters.find(plan.site())->roster.members) {
            const auto* record = core.sites.record(plan.site(), member.server_id);
            if (record == nullptr) continue;
            for (const auto& each : record->holdings) {
                if (each.complete) held_[each.sha256].insert(member.server_id);
            }
        }
    }

    [[nodiscard]] bool has(const Digest& sha256) const { return held_.contains(sha256); }

    /// What the servers that want this manifest hold.
    [[nodiscard]] planner::HeldBy candidates(const Digest& manifest) {
        planner::HeldBy out;
        for (const auto& server : plan_.servers) {
            const auto& services = server.services;
            if (std::none_of(services.begin(), services.end(),
                             [&](const auto& each) { return each.manifest == manifest; })) {
                continue;
            }
            auto& manifests = out[server.server_id];
            for (const auto& [sha256, servers] : held_) {
                if (!servers.contains(server.server_id)) continue;
                if (const auto* known = whole(sha256)) manifests.push_back(known);
            }
        }
        return out;
    }

    /// The manifest with its chunk list, which is in the store only; null when there is none.
    [[nodiscard]] const Manifest* whole(const Digest& sha256) {
        if (const auto at = whole_.find(sha256); at != whole_.end()) return &at->second;
        for (const auto& [digest, entry] : core_.manifests.all()) {
            if (entry.manifest.sha256 != sha256) continue;
            const auto bytes = core_.manifests.envelope(digest);
            const auto envelope = bytes ? Envelope::decode(*bytes)
                                        : Result<Envelope>(tl::unexpected<Error>(bytes.error()));
            auto manifest = envelope ? Manifest::decode(envelope->payload)
                                     : Result<Manifest>(tl::unexpected<Error>(envelope.error()));
            if (manifest) return &whole_.emplace(sha256, *std::move(manifest)).first->second;
        }
        return nullptr;
    }

  private:
    const Core& core_;
    const Plan& plan_;
    std::map<Digest, std::set<std::string>> held_;  ///< artifact → servers
    std::map<Digest, Manifest> whole_;
};

/// Artifacts of a plan, whether the site has them, and what has to cross the WAN.
std::pair<Json, std::uint64_t> artifacts_of(const Core& core, const Plan& plan) {
    Json out = Json::array();
    std::uint64_t total = 0;
    SiteHoldings site(core, plan);
    std::set<Digest> seen;  // the same bytes under two names come once
    for (const auto& digest : plan.manifests) {
        const auto at = core.manifests.all().find(digest);
        if (at == core.manifests.all().end()) continue;
        const auto& manifest = at->second.manifest;
        const bool held = site.has(manifest.sha256) || !seen.insert(manifest.sha256).second;
        std::uint64_t bytes = 0;
        if (!held) {
            const auto* whole = site.whole(manifest.sha256);
            bytes = planner::expected_wan_bytes(whole != nullptr ? *whole : manifest,
                                                site.candidates(digest));
        }
        total += bytes;
        out.push_back(Json{{"artifact", manifest.artifact},
                           {"version", manifest.version},
                           {"size_bytes", manifest.size_bytes},
                           {"wan_bytes_expected", bytes},
                           {"held", held}});
    }
    return {out, total};
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
    body["activates"] = outcome.activates;
    body["not_before"] = outcome.plan.not_before_unix_s;
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
    order.not_before_unix_s = json_or<std::int64_t>(call.body, "not_before", 0);
    if (json_or(call.body, "stage", false)) order.not_before_unix_s = staged_until_further_unix_s;
    if (order.not_before_unix_s < 0 || order.not_before_unix_s > staged_until_further_unix_s) {
        return fail(Errc::invalid, "not_before is no time: seconds since 1970");
    }
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
