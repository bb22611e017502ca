#include <algorithm>
#include <set>

#include "coordinator/rest_api.hpp"
#include "protocol/artifact_peers.hpp"
#include "protocol/cache_order.hpp"
#include "protocol/election.hpp"
#include "protocol/orders.hpp"

namespace clarity::coordinator {
namespace {

constexpr std::int64_t ttl_s = 60;
constexpr std::int64_t keep_s = 30LL * 86400;
constexpr std::int64_t keep_max_s = 3650LL * 86400;

/// The command's action for the path's last part.
Result<std::string_view> action_of(const std::string& name) {
    for (const auto action : {cache_order::pin, cache_order::unpin, cache_order::gc,
                              cache_order::prefetch, cache_order::verify}) {
        if (action.substr(action.find('-') + 1) == name) return action;
    }
    return fail(Errc::not_found,
                "\"{}\" is no order about a cache: pin, unpin, prefetch, gc or verify", name);
}

/// The members that the order is for: those named, else all.
Result<std::vector<ServerView>> targets_of(const Api& api, const Call& call,
                                           const std::string& site) {
    const auto* roster = api.core.rosters.find(site);
    if (roster == nullptr) return fail(Errc::not_found, "nobody is enrolled at {}", site);
    const auto views = api.core.sites.servers(call.now_ms, roster->roster);
    const auto named = json_or(call.body, "servers", std::vector<std::string>{});
    if (named.empty()) return views;
    std::vector<ServerView> out;
    for (const auto& name : std::set<std::string>(named.begin(), named.end())) {
        const auto at = std::find_if(views.begin(), views.end(), [&](const auto& each) {
            return each.member.hostname == name || each.member.server_id == name;
        });
        if (at == views.end()) return fail(Errc::not_found, "{} has no server {}", site, name);
        out.push_back(*at);
    }
    return out;
}

/// The registered version that the body names; null where the order is about whole caches.
Result<const ManifestEntry*> manifest_for(const Api& api, const Call& call,
                                          std::string_view action) {
    const bool whole_cache = action == cache_order::gc ||
                             (action == cache_order::verify && !call.body.contains("artifact"));
    if (whole_cache) return nullptr;
    CLARITY_TRY(const auto artifact, json_get<std::string>(call.body, "artifact"));
    CLARITY_TRY(const auto version, json_get<std::string>(call.body, "version"));
    const auto* entry = api.core.manifests.find(artifact, version);
    if (entry == nullptr) {
        return fail(Errc::not_found, "{}@{} is not registered; see clarity artifact list", artifact,
                    version);
    }
    return entry;
}

/// The `count` servers that get it: of those alive the first in rendezvous rank, so that the same
/// order again names the same servers.
Result<std::vector<ServerView>> choose(std::vector<ServerView> servers, std::size_t count,
                                       const Digest& sha256) {
    std::vector<std::string> alive;
    for (const auto& each : servers) {
        if (each.state == "alive") alive.push_back(each.member.server_id);
    }
    if (alive.size() < count) {
        return fail(Errc::unavailable, "{} servers are to get it, but only {} are alive", count,
                    alive.size());
    }
    auto ranked = election::rank(sha256, std::move(alive));
    ranked.resize(count);
    std::erase_if(servers, [&](const auto& each) {
        return std::find(ranked.begin(), ranked.end(), each.member.server_id) == ranked.end();
    });
    return servers;
}

Result<Environment> environment_of(const Api& api, const Call& call, const std::string& site) {
    const auto named = json_or<std::string>(call.body, "environment", "");
    const auto* plan = api.core.deployments.current(site);
    if (named.empty()) return plan == nullptr ? Environment::prod : plan->plan.environment;
    const auto environment = environment_from(named);
    if (environment) return *environment;
    return fail(Errc::invalid, "\"{}\" is not an environment: dev, staging, prod or mock", named);
}

/// What a prefetch says beyond the artifact; the repositories differ from server to server.
Result<void> fill_prefetch(Api& api, Call& call, const std::string& site,
                           const ManifestEntry& entry, std::vector<ServerView>& targets,
                           CacheOrder& order) {
    const auto count = json_or<std::uint64_t>(call.body, "count", 0);
    if (count != 0) {
        CLARITY_TRY(targets, choose(std::move(targets), count, entry.manifest.sha256));
    }
    const auto kept = json_or<std::int64_t>(call.body, "keep_s", keep_s);
    if (kept < 60 || kept > keep_max_s) {
        return fail(Errc::invalid, "keep_s must be from 60 to {}", keep_max_s);
    }
    order.manifest = entry.digest;
    order.until_unix_s = call.now_s() + kept;
    for (const auto& each : targets) order.candidates.push_back(each.member.server_id);
    return api.core.prefetches.add(site, entry.digest, call.now_s());
}

Result<Bytes> repositories_for(Api& api, const std::string& site, Environment environment,
                               const std::string& server_id) {
    const Core& core = api.core;
    CLARITY_TRY(const auto inventory, core.inventory.current());
    const auto slash = site.find('/');
    const auto client = site.substr(0, slash);
    const planner::PlannerInput input{
        .inventory = inventory->inventory,
        .roster = core.rosters.find(site)->roster,
        .client = client,
        .datacenter = site.substr(slash + 1),
        .environment = environment,
        .secret = [&](const std::string& name) { return core.vault.resolve(client, name); },
        .fingerprint_key = core.identity->fingerprint_key};
    return planner::sealed_repositories(input, server_id);
}

Command command_for(const Call& call, const std::string& site, const std::string& server_id,
                    std::string_view action, const CacheOrder& order) {
    Command out;
    out.site = site;
    out.server_id = server_id;
    out.action = action;
    if (!order.artifact.empty()) out.service = order.artifact + "@" + order.version;
    out.argument = order.encode();
    out.expires_unix_s = call.now_s() + ttl_s;
    out.nonce = random_uuid();
    return out;
}

/// Signs one command per server: each has a nonce of its own and answers for itself.
Answer order_caches(Api& api, Call& call) {
    CLARITY_CHECK(api.core.trust.current());
    const auto site = call.param("client") + "/" + call.param("datacenter");
    CLARITY_TRY(const auto action, action_of(call.param("order")));
    CLARITY_TRY(const auto* entry, manifest_for(api, call, action));
    CLARITY_TRY(auto targets, targets_of(api, call, site));
    CLARITY_TRY(const auto environment, environment_of(api, call, site));
    CacheOrder order;
    order.dry_run = json_or(call.body, "dry_run", false);
    if (entry != nullptr) {
        order.artifact = entry->manifest.artifact;
        order.version = entry->manifest.version;
        order.sha256 = entry->manifest.sha256;
    }
    const bool is_prefetch = action == cache_order::prefetch;
    if (is_prefetch) CLARITY_CHECK(fill_prefetch(api, call, site, *entry, targets, order));
    Json orders = Json::array();
    std::size_t uplinks = 0;
    for (const auto& target : targets) {
        if (is_prefetch) {
            CLARITY_TRY(order.repositories,
                        repositories_for(api, site, environment, target.member.server_id));
        }
        const auto command = command_for(call, site, target.member.server_id, action, order);
        auto envelope = Envelope::make(payload_type::command, command.encode());
        envelope.sign(api.core.identity->signing);
        uplinks = api.effects.send_order(site, envelope.encode());
        orders.push_back(Json{{"server", target.member.hostname},
                              {"server_id", command.server_id},
                              {"state", target.state},
                              {"nonce", command.nonce}});
    }
    if (is_prefetch) api.effects.site_changed(site);  // after the orders: now it is wanted
    api.audit(call, "cache." + call.param("order"), site,
              fmt::format("{}@{} on {} servers: {} uplinks", order.artifact, order.version,
                          targets.size(), uplinks));
    if (uplinks == 0) {
        return fail(Errc::unavailable, "site {} has no connection to this coordinator now", site);
    }
    return json_answer(Json{{"site", site}, {"orders", std::move(orders)}}, 202);
}

Answer artifact_peers(Api& api, Call& call) {
    const auto name = call.query("artifact");
    if (name.empty()) return fail(Errc::invalid, "which artifact? ?artifact=NAME or NAME@VERSION");
    const auto site = call.param("client") + "/" + call.param("datacenter");
    CLARITY_TRY(const auto view, api.core.view(site, call.now_ms));
    api.effects.looked_at(site);
    std::vector<KnownArtifact> known;
    for (const auto& [digest, entry] : api.core.manifests.all()) {
        const auto& each = entry.manifest;
        known.push_back({each.artifact, each.version, each.sha256, each.size_bytes});
    }
    return json_answer(artifact_peers_json(view, name, known));
}

}  // namespace

void Api::add_cache_routes(Router& router) {
    router.add("GET", "/api/v1/sites/{client}/{datacenter}/artifacts", Access::admin,
               [this](Call& call) { return artifact_peers(*this, call); });
    router.add("POST", "/api/v1/sites/{client}/{datacenter}/cache/{order}", Access::admin,
               [this](Call& call) { return order_caches(*this, call); });
}

}  // namespace clarity::coordinator
