#include "protocol/status.hpp"

#include <algorithm>
#include <ctime>
#include <map>

namespace clarity {
namespace {

std::string utc_time(std::int64_t unix_ms) {
    if (unix_ms <= 0) return "";
    const std::time_t seconds = unix_ms / 1000;
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text;
}

Json seconds(std::int64_t ms) {
    if (ms < 0) return nullptr;
    return static_cast<double>(ms / 100) / 10.0;
}

Json wan_json(const WanReport& wan) {
    return Json{{"state", wan.state},
                {"until", utc_time(wan.until_unix_ms)},
                {"spent_bytes", wan.spent_bytes},
                {"budget_bytes", wan.budget_bytes},
                {"rate_bytes_s", wan.rate_bytes_s}};
}

Json service_json(const ServiceStatus& service) {
    return Json{{"artifact", service.name},
                {"version", service.version},
                {"state", name_of(service.state)},
                {"health", name_of(service.health)},
                {"since", utc_time(service.since_unix_ms)},
                {"plan_seq", service.plan_seq},
                {"restarts", service.restarts},
                {"detail", service.detail},
                {"drift", service.drift}};
}

Json server_json(const ServerView& server, const std::string& answered_by) {
    Json services = Json::array();
    Json refusals = Json::array();
    Json notices = Json::array();
    std::uint64_t plan_seq = 0;
    std::uint64_t roster_epoch = 0;
    bool settled = false;
    bool failed = false;
    const bool told = server.record && server.record->wan;
    if (server.record) {
        plan_seq = server.record->plan_seq;
        roster_epoch = server.record->roster_epoch;
        settled = server.record->plan_settled;
        failed = server.record->plan_failed;
        notices = server.record->notices;
        for (const auto& each : server.record->services) services.push_back(service_json(each));
        for (const auto& each : server.record->refusals) {
            refusals.push_back(Json{{"document", each.document},
                                    {"digest", each.digest},
                                    {"seq", each.seq},
                                    {"code", each.code},
                                    {"message", each.message},
                                    {"at", utc_time(each.at_unix_ms)}});
        }
    }
    if (server.newer_format) {
        notices.push_back("reports in a newer format: upgrade " + answered_by +
                          " to see its services");
    }
    const auto& address =
        server.mesh_endpoint.empty() ? server.member.mesh_endpoint : server.mesh_endpoint;
    return Json{{"server", server.member.hostname},
                {"server_id", server.member.server_id},
                {"mesh_endpoint", address},
                {"newer_format", server.newer_format},
                {"state", server.state},
                {"age_s", seconds(server.age_ms)},
                {"witness", server.witness},
                {"plan_seq", plan_seq},
                {"roster_epoch", roster_epoch},
                {"settled", settled},
                {"failed", failed},
                {"agent_version", server.record ? server.record->agent_version : ""},
                {"services", services},
                {"refusals", refusals},
                {"notices", notices},
                {"wan", wan_json(told ? *server.record->wan : WanReport{})}};
}

/// By why they came; what no holder tells of was a first pull.
void add_wan(Json& json, const Holding& held) {
    const auto parts = held.wan_parts.value_or(WanParts{});
    const auto add = [&](const char* key, std::uint64_t bytes) {
        json[key] = json[key].get<std::uint64_t>() + bytes;
    };
    add("first", parts.first(held.wan_bytes));
    add("resumed", parts.resumed);
    add("duplicate", parts.duplicate);
    add("repaired", parts.repaired);
}

/// One line per artifact, gathered from every server's holdings and claims.
Json artifacts_json(const SiteView& view) {
    std::map<Digest, Json> found;
    for (const auto& server : view.servers) {
        if (!server.record) continue;
        for (const auto& held : server.record->holdings) {
            auto [at, fresh] = found.try_emplace(held.sha256);
            Json& json = at->second;
            if (fresh) {
                json = Json{
                    {"artifact", held.artifact},
                    {"version", held.version},
                    {"sha256", held.sha256.hex()},
                    {"size_bytes", held.size_bytes},
                    {"holders", Json::array()},
                    {"fetcher", nullptr},
                    {"wan_bytes", 0U},
                    {"wan", {{"first", 0U}, {"resumed", 0U}, {"duplicate", 0U}, {"repaired", 0U}}},
                    {"lan_bytes", 0U},
                    {"passing", Json::object()},
                    {"progress", Json::object()},
                    {"errors", Json::array()}};
            }
            if (held.complete) json["holders"].push_back(server.member.hostname);
            json["wan_bytes"] = json["wan_bytes"].get<std::uint64_t>() + held.wan_bytes;
            add_wan(json["wan"], held);
            json["lan_bytes"] = json["lan_bytes"].get<std::uint64_t>() + held.lan_bytes;
            json["progress"][server.member.hostname] =
                held.pieces == 0 ? 0.0 : static_cast<double>(held.pieces_have) / held.pieces;
            if (!held.error.empty()) {
                json["errors"].push_back(server.member.hostname + ": " + held.error);
            }
        }
    }
    for (const auto& server : view.servers) {
        if (!server.record || server.state == "dead" || server.state == "left") continue;
        for (const auto& claim : server.record->claims) {
            const auto at = found.find(claim.sha256);
            if (at != found.end()) at->second["fetcher"] = server.member.hostname;
        }
        for (const auto& pass : server.record->passes) {
            const auto at = found.find(pass.sha256);
            if (at == found.end()) continue;
            at->second["passing"][server.member.hostname] =
                Json{{"reason", pass.reason}, {"until", utc_time(pass.until_unix_ms)}};
        }
    }
    Json out = Json::array();
    for (auto& [digest, json] : found) out.push_back(std::move(json));
    return out;
}

}  // namespace

Json status_json(const SiteView& view) {
    Json servers = Json::array();
    int alive = 0;
    int healthy = 0;
    int failed = 0;
    for (const auto& server : view.servers) {
        servers.push_back(server_json(server, view.answered_by));
        const bool is_alive = server.state == "alive";
        bool server_failed = server.record && server.record->plan_failed;
        bool all_running = server.record.has_value();
        if (server.record) {
            for (const auto& service : server.record->services) {
                server_failed = server_failed || service.state == ServiceState::failed;
                const bool up =
                    service.state == ServiceState::running && service.health != Health::unhealthy;
                all_running = all_running && (up || service.state == ServiceState::stopped);
            }
        }
        alive += is_alive ? 1 : 0;
        failed += server_failed ? 1 : 0;
        healthy += is_alive && all_running && !server_failed ? 1 : 0;
    }
    const int total = static_cast<int>(view.servers.size());
    return Json{{"site", view.site},
                {"answered_by", view.answered_by},
                {"plan",
                 {{"seq", view.plan_seq},
                  {"digest", view.plan_digest.is_zero() ? "" : view.plan_digest.hex()},
                  {"environment", view.environment},
                  {"freshness_s", seconds(view.freshness_ms)}}},
                {"servers", servers},
                {"artifacts", artifacts_json(view)},
                {"summary",
                 {{"alive", alive},
                  {"healthy", healthy},
                  {"failed", failed},
                  {"unreachable", total - alive}}}};
}

}  // namespace clarity
