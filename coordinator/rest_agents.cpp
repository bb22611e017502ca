#include <algorithm>
#include <array>

#include "coordinator/rest_api.hpp"
#include "protocol/orders.hpp"

namespace clarity::coordinator {
namespace {

Json seconds(std::int64_t ms) {
    if (ms < 0) return nullptr;
    return static_cast<double>(ms / 100) / 10.0;
}

Json agent_json(const std::string& site, const ServerView& view) {
    return Json{{"server", view.member.hostname},
                {"server_id", view.member.server_id},
                {"site", site},
                {"state", view.state},
                {"age_s", seconds(view.age_ms)},
                {"version", view.record ? view.record->agent_version : ""},
                {"plan_seq", view.record ? view.record->plan_seq : 0}};
}

Answer list_sites(Api& api, Call& call) {
    const Core& core = api.core;
    Json out = Json::array();
    for (const auto& site : core.known_sites()) {
        Json row{{"site", site},  {"enrolled", 0},     {"alive", 0},
                 {"plan_seq", 0}, {"roster_epoch", 0}, {"freshness_s", nullptr}};
        if (const auto* roster = core.rosters.find(site)) {
            api.effects.looked_at(site);
            const auto views = core.sites.servers(call.now_ms, roster->roster);
            row["enrolled"] = roster->roster.members.size();
            row["alive"] = std::count_if(views.begin(), views.end(), [](const ServerView& view) {
                return view.state == "alive";
            });
            row["roster_epoch"] = roster->roster.epoch;
        }
        if (const auto* plan = core.deployments.current(site)) row["plan_seq"] = plan->plan.seq;
        row["freshness_s"] = seconds(core.sites.silence_of(call.now_ms, site));
        out.push_back(std::move(row));
    }
    return json_answer(out);
}

Answer list_agents(Api& api, Call& call) {
    const auto wanted = call.query("site");
    Json out = Json::array();
    for (const auto& [site, roster] : api.core.rosters.all()) {
        if (!wanted.empty() && site != wanted) continue;
        api.effects.looked_at(site);
        for (const auto& view : api.core.sites.servers(call.now_ms, roster.roster)) {
            out.push_back(agent_json(site, view));
        }
    }
    return json_answer(out);
}

/// A member by server id or hostname (where only one has it).
Result<std::pair<std::string, Member>> find_agent(const Core& core, const std::string& name) {
    if (const auto at = core.rosters.locate(name)) return *at;
    std::optional<std::pair<std::string, Member>> found;
    for (const auto& [site, roster] : core.rosters.all()) {
        for (const auto& member : roster.roster.members) {
            if (member.hostname != name) continue;
            if (found) {
                return fail(Errc::conflict, "{} is a server of {} and of {}; give its id", name,
                            found->first, site);
            }
            found = {site, member};
        }
    }
    if (!found) return fail(Errc::not_found, "server {} is not enrolled", name);
    return *found;
}

Answer agent_status(Api& api, Call& call) {
    CLARITY_TRY(const auto at, find_agent(api.core, call.param("server_id")));
    api.effects.looked_at(at.first);
    CLARITY_TRY(const auto view, api.core.view(at.first, call.now_ms));
    const Json status = status_json(view);
    for (const auto& server : status.at("servers")) {
        if (server.at("server_id") == at.second.server_id) return json_answer(server);
    }
    return fail(Errc::not_found, "server {} is not enrolled", call.param("server_id"));
}

Answer revoke_agent(Api& api, Call& call) {
    CLARITY_TRY(const auto at, find_agent(api.core, call.param("server_id")));
    CLARITY_CHECK(api.core.rosters.remove_member(at.second.server_id));
    api.audit(call, "agent.revoke", at.first, at.second.server_id);
    api.effects.members_changed();
    const auto* roster = api.core.rosters.find(at.first);
    return json_answer(Json{{"server_id", at.second.server_id},
                            {"site", at.first},
                            {"roster_epoch", roster == nullptr ? 0 : roster->roster.epoch}});
}

Answer send_command(Api& api, Call& call) {
    CLARITY_CHECK(api.core.trust.current());
    CLARITY_TRY(const auto at, find_agent(api.core, call.param("server_id")));
    Command command;
    command.site = at.first;
    command.server_id = at.second.server_id;
    CLARITY_TRY(command.action, json_get<std::string>(call.body, "action"));
    constexpr std::array actions{"start", "stop", "restart",   "logs",
                                 "drain", "exec", "wan-pause", "wan-resume"};
    if (std::find(actions.begin(), actions.end(), command.action) == actions.end()) {
        return fail(Errc::invalid,
                    "\"{}\" is not an action: start, stop, restart, logs, drain, exec, wan-pause "
                    "or wan-resume",
                    command.action);
    }
    command.service = json_or<std::string>(call.body, "service", "");
    command.argument = json_or<std::string>(call.body, "argument", "");
    const auto ttl_s = json_or<std::int64_t>(call.body, "ttl_s", 60);
    if (ttl_s < 1 || ttl_s > 3600) return fail(Errc::invalid, "ttl_s must be from 1 to 3600");
    command.expires_unix_s = call.now_s() + ttl_s;
    command.nonce = random_uuid();
    auto envelope = Envelope::make(payload_type::command, command.encode());
    envelope.sign(api.core.identity->signing);
    const auto uplinks = api.effects.send_order(at.first, envelope.encode());
    api.audit(call, "agent.command", at.first,
              fmt::format("{} {} on {}: {} uplinks", command.action, command.service,
                          command.server_id, uplinks));
    if (uplinks == 0) {
        return fail(Errc::unavailable, "site {} has no connection to this coordinator now",
                    at.first);
    }
    return json_answer(Json{{"nonce", command.nonce}, {"uplinks", uplinks}}, 202);
}

Answer command_result(Api& api, Call& call) {
    const auto* entry = api.core.results.find(call.param("nonce"));
    if (entry == nullptr) {
        return fail(Errc::not_found, "no answer to command {} yet, or not any more",
                    call.param("nonce"));
    }
    return json_answer(Json{
        {"nonce", entry->result.nonce}, {"ok", entry->result.ok}, {"text", entry->result.text}});
}

std::string site_param(const Call& call) {
    return call.param("client") + "/" + call.param("datacenter");
}

}  // namespace

void Api::add_agent_routes(Router& router) {
    router.add("GET", "/api/v1/sites", Access::admin,
               [this](Call& call) { return list_sites(*this, call); });
    router.add("GET", "/api/v1/sites/{client}/{datacenter}/status", Access::admin,
               [this](Call& call) -> Answer {
                   CLARITY_TRY(const auto view, core.view(site_param(call), call.now_ms));
                   effects.looked_at(view.site);
                   return json_answer(status_json(view));
               });
    router.add("GET", "/api/v1/sites/{client}/{datacenter}/roster", Access::admin,
               [this](Call& call) -> Answer {
                   const auto site = site_param(call);
                   const auto* roster = core.rosters.find(site);
                   if (roster == nullptr) {
                       return fail(Errc::not_found, "nobody is enrolled at {}", site);
                   }
                   return json_answer(envelope_json(roster->bytes));
               });
    router.add("GET", "/api/v1/agents", Access::admin,
               [this](Call& call) { return list_agents(*this, call); });
    router.add("DELETE", "/api/v1/agents/{server_id}", Access::admin,
               [this](Call& call) { return revoke_agent(*this, call); });
    router.add("GET", "/api/v1/agents/{server_id}/status", Access::admin,
               [this](Call& call) { return agent_status(*this, call); });
    router.add("POST", "/api/v1/agents/{server_id}/command", Access::admin,
               [this](Call& call) { return send_command(*this, call); });
    router.add("GET", "/api/v1/agents/{server_id}/command/{nonce}", Access::admin,
               [this](Call& call) { return command_result(*this, call); });
}

}  // namespace clarity::coordinator
