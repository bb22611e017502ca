#include "coordinator/rest_api.hpp"
#include "protocol/log/log.hpp"

namespace clarity::coordinator {
namespace {

Json problem_json(const inventory::Problem& problem) {
    return Json{{"file", problem.file},
                {"line", problem.line},
                {"severity", problem.severity == inventory::Severity::error ? "error" : "warning"},
                {"message", problem.message}};
}

http::Response refusal(const InventoryOutcome& outcome) {
    Json problems = Json::array();
    std::size_t errors = 0;
    std::string first;
    for (const auto& problem : outcome.problems) {
        problems.push_back(problem_json(problem));
        if (problem.severity != inventory::Severity::error) continue;
        if (errors++ == 0) first = problem.text();
    }
    const auto message = errors == 1 ? first : fmt::format("{} ({} errors in all)", first, errors);
    return json_answer(Json{{"error", {{"code", name_of(Errc::invalid)}, {"message", message}}},
                            {"problems", problems}},
                       422);
}

/// Servers that are enrolled, but that the inventory does not know (any more).
void warn_of_strangers(const Core& core, const StoredInventory& stored, Json& warnings) {
    for (const auto& [site, roster] : core.rosters.all()) {
        for (const auto& member : roster.roster.members) {
            if (find_server(stored.inventory, site, member.server_id) != nullptr) continue;
            warnings.push_back(
                Json{{"file", ""},
                     {"line", 0},
                     {"severity", "warning"},
                     {"message", fmt::format("server {} of {} is enrolled but no longer in the "
                                             "inventory; DELETE /api/v1/agents/{} revokes it",
                                             member.hostname, site, member.server_id)}});
        }
    }
}

/// A server that got another hostname is called so in its roster too. True when one did.
Result<bool> follow_hostnames(Core& core, const StoredInventory& stored) {
    std::vector<std::pair<std::string, Member>> renamed;
    for (const auto& [site, roster] : core.rosters.all()) {
        for (auto member : roster.roster.members) {
            const auto* server = find_server(stored.inventory, site, member.server_id);
            if (server == nullptr || server->hostname == member.hostname) continue;
            member.hostname = server->hostname;
            renamed.emplace_back(site, std::move(member));
        }
    }
    for (const auto& [site, member] : renamed) {
        CLARITY_CHECK(core.rosters.put_member(site, member, {}));
    }
    return !renamed.empty();
}

Answer put_files(Api& api, Call& call, const inventory::Files& files, const std::string& action) {
    Core& core = api.core;
    CLARITY_TRY(const auto outcome, core.inventory.put(files, call.actor, call.now_s()));
    if (!outcome.accepted) return refusal(outcome);
    Json warnings = Json::array();
    for (const auto& problem : outcome.problems) warnings.push_back(problem_json(problem));
    warn_of_strangers(core, *outcome.stored, warnings);
    if (!outcome.unchanged) {
        api.audit(call, action, outcome.digest.hex());
        CLARITY_TRY(const bool renamed, follow_hostnames(core, *outcome.stored));
        if (renamed) api.effects.members_changed();
        log::info_for(json_or<std::string>(call.body, "correlation_id", ""),
                      "inventory {} is in force", outcome.digest.hex().substr(0, 12));
    }
    const auto& inventory = outcome.stored->inventory;
    return json_answer(Json{{"digest", outcome.digest.hex()},
                            {"warnings", warnings},
                            {"clients", inventory.clients.size()},
                            {"servers", inventory.servers.size()},
                            {"unchanged", outcome.unchanged}});
}

Answer put_inventory(Api& api, Call& call) {
    if (!call.body.is_object() || !call.body.contains("files") ||
        !call.body.at("files").is_object()) {
        return fail(Errc::invalid, "\"files\" must be an object of path: text");
    }
    inventory::Files files;
    for (const auto& [path, text] : call.body.at("files").items()) {
        if (!text.is_string()) return fail(Errc::invalid, "\"files\": \"{}\" is not text", path);
        files[path] = text.get<std::string>();
    }
    return put_files(api, call, files, "inventory.put");
}

Result<std::string> profile_path(const Call& call) {
    const auto& environment = call.param("environment");
    const auto& artifact = call.param("artifact_id");
    if (!environment_from(environment)) {
        return fail(Errc::invalid, "\"{}\" is not an environment: dev, staging, prod or mock",
                    environment);
    }
    if (!is_name(artifact)) return fail(Errc::invalid, "\"{}\" is not an artifact id", artifact);
    return fmt::format("profiles/{}/{}.yml", environment, artifact);
}

Answer get_profile(Api& api, Call& call) {
    CLARITY_TRY(const auto path, profile_path(call));
    CLARITY_TRY(const auto stored, api.core.inventory.current());
    const auto at = stored->files.find(path);
    if (at == stored->files.end()) return fail(Errc::not_found, "the inventory has no {}", path);
    return json_answer(Json{{"yaml", at->second}});
}

Answer put_profile(Api& api, Call& call) {
    CLARITY_TRY(const auto path, profile_path(call));
    CLARITY_TRY(const auto yaml, json_get<std::string>(call.body, "yaml"));
    CLARITY_TRY(const auto stored, api.core.inventory.current());
    auto files = stored->files;
    files[path] = yaml;
    return put_files(api, call, files, "profile.put");
}

Answer put_secret(Api& api, Call& call) {
    const auto& client = call.param("client");
    const auto& name = call.param("name");
    CLARITY_TRY(const auto value, json_get<std::string>(call.body, "value"));
    CLARITY_CHECK(api.core.vault.put(client, name, value));
    api.audit(call, "secret.put", client + "/" + name);
    return json_answer(Json{{"client", client}, {"name", name}});
}

}  // namespace

void Api::add_inventory_routes(Router& router) {
    router.add("GET", "/api/v1/inventory", Access::admin, [this](Call&) -> Answer {
        CLARITY_TRY(const auto stored, core.inventory.current());
        return json_answer(Json{{"files", stored->files}, {"digest", stored->digest.hex()}});
    });
    router.add("PUT", "/api/v1/inventory", Access::admin,
               [this](Call& call) { return put_inventory(*this, call); });
    router.add("GET", "/api/v1/inventory/history", Access::admin, [this](Call&) -> Answer {
        CLARITY_TRY(const auto rows, core.inventory.history());
        return json_answer(rows);
    });
    router.add("GET", "/api/v1/profiles/{environment}/{artifact_id}", Access::admin,
               [this](Call& call) { return get_profile(*this, call); });
    router.add("PUT", "/api/v1/profiles/{environment}/{artifact_id}", Access::admin,
               [this](Call& call) { return put_profile(*this, call); });
    router.add("GET", "/api/v1/secrets", Access::admin, [this](Call& call) -> Answer {
        const auto client = call.query("client");
        if (!is_name(client)) return fail(Errc::invalid, "give ?client=CODE");
        CLARITY_TRY(const auto names, core.vault.names(client));
        return json_answer(Json(names));
    });
    router.add("PUT", "/api/v1/secrets/{client}/{name}", Access::admin,
               [this](Call& call) { return put_secret(*this, call); });
}

}  // namespace clarity::coordinator
