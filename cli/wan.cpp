#include <ctime>

#include "cli/commands.hpp"
#include "cli/server_orders.hpp"
#include "cli/view/table.hpp"
#include "cli/view/units.hpp"
#include "protocol/http/client.hpp"

namespace clarity::cli {
namespace {

constexpr std::int64_t default_timeout_s = 20;
constexpr std::int64_t ttl_s = 600;

Result<std::vector<ServerAnswer>> servers_of(const Api& api, const std::string& site,
                                             const std::string& server) {
    CLARITY_TRY(const auto answer, api.get("/api/v1/agents?site=" + url_encode(site)));
    const Json& list =
        answer.is_object() && answer.contains("agents") ? answer.at("agents") : answer;
    std::vector<ServerAnswer> out;
    for (const auto& each : list) {
        auto order = order_from(each);
        if (server.empty() || order.server == server || order.server_id == server) {
            out.push_back(std::move(order));
        }
    }
    if (out.empty()) {
        return fail(Errc::not_found, "{} has no server {}; see clarity agents {}", site,
                    server.empty() ? "at all" : server, site);
    }
    return out;
}

Result<void> send(const Api& api, ServerAnswer& order, const std::string& action,
                  const std::string& argument) {
    const Json body{{"action", action}, {"argument", argument}, {"ttl_s", ttl_s}};
    CLARITY_TRY(const auto sent,
                api.post("/api/v1/agents/" + url_encode(order.server_id) + "/command", body));
    CLARITY_TRY(order.nonce, json_get<std::string>(sent, "nonce"));
    return {};
}

Result<ExitCode> order(Session& session, const Arguments& arguments, const std::string& action,
                       const std::string& argument) {
    const auto site = arguments.text("SITE");
    CLARITY_CHECK(site_path(site));
    CLARITY_TRY(const auto api, session.api());
    CLARITY_TRY(auto orders, servers_of(api, site, arguments.text("SERVER")));
    for (auto& each : orders) CLARITY_CHECK(send(api, each, action, argument));
    CLARITY_CHECK(await_answers(api, orders, session.timeout_ms(default_timeout_s)));
    Json rows = Json::array();
    for (const auto& each : orders) {
        rows.push_back(
            Json{{"server", each.server}, {"outcome", name_of(each.outcome)}, {"text", each.text}});
    }
    session.emit(Json{{"site", site}, {"action", action}, {"servers", rows}}, [&] {
        Table table({{"SERVER", Align::left, true}, {"OUTCOME"}, {"", Align::left, true}});
        for (const auto& each : orders)
            table.add({each.server, std::string(name_of(each.outcome)), each.text});
        return table.text(session.terminal().out_width());
    });
    const auto code = report_answers(session, orders);
    if (code == ExitCode::partial || code == ExitCode::timeout) {
        session.note("the order stands for {}: who did not answer takes it if it is back by then",
                     format_duration(static_cast<double>(ttl_s)));
    }
    return code;
}

Result<ExitCode> run_pause(Session& session, const Arguments& arguments) {
    const auto seconds = arguments.seconds_or("for", 0);
    const auto until = seconds > 0 ? std::to_string(std::time(nullptr) + seconds) : std::string();
    return order(session, arguments, "wan-pause", until);
}

Result<ExitCode> run_resume(Session& session, const Arguments& arguments) {
    return order(session, arguments, "wan-resume", "");
}

std::uint64_t bytes_of(const Json& json, const char* key) {
    return json_or<std::uint64_t>(json, key, 0);
}

std::string servers_text(const Json& servers, std::size_t width) {
    Table table({{"SERVER", Align::left, true},
                 {"WAN"},
                 {"UNTIL"},
                 {"TODAY", Align::right},
                 {"BUDGET", Align::right},
                 {"BEST RATE", Align::right}});
    for (const auto& each : servers) {
        const auto wan = json_or<Json>(each, "wan", Json::object());
        const auto budget = bytes_of(wan, "budget_bytes");
        const auto rate = bytes_of(wan, "rate_bytes_s");
        table.add({json_or<std::string>(each, "server", ""), json_or<std::string>(wan, "state", ""),
                   json_or<std::string>(wan, "until", ""),
                   format_bytes(bytes_of(wan, "spent_bytes")),
                   budget == 0 ? "" : format_bytes(budget),
                   rate == 0 ? "" : format_rate(static_cast<double>(rate))});
    }
    return table.text(width);
}

std::string artifacts_text(const Json& artifacts, std::size_t width) {
    Table table({{"ARTIFACT", Align::left, true},
                 {"VERSION", Align::left, true},
                 {"WAN", Align::right},
                 {"FIRST", Align::right},
                 {"RESUMED", Align::right},
                 {"DUPLICATE", Align::right},
                 {"REPAIRED", Align::right},
                 {"FETCHER", Align::left, true}});
    for (const auto& each : artifacts) {
        const auto by = json_or<Json>(each, "wan", Json::object());
        table.add(
            {json_or<std::string>(each, "artifact", ""), json_or<std::string>(each, "version", ""),
             format_bytes(bytes_of(each, "wan_bytes")), format_bytes(bytes_of(by, "first")),
             format_bytes(bytes_of(by, "resumed")), format_bytes(bytes_of(by, "duplicate")),
             format_bytes(bytes_of(by, "repaired")), json_or<std::string>(each, "fetcher", "")});
    }
    return table.empty() ? "" : "\n" + table.text(width);
}

Result<ExitCode> run_show(Session& session, const Arguments& arguments) {
    const auto site = arguments.text("SITE");
    CLARITY_TRY(const auto path, site_path(site));
    CLARITY_TRY(const auto api, session.api());
    CLARITY_TRY(const auto status, api.get("/api/v1/sites/" + path + "/status"));
    const auto wanted = arguments.text("SERVER");
    Json servers = Json::array();
    for (const auto& each : json_or<Json>(status, "servers", Json::array())) {
        const auto name = json_or<std::string>(each, "server", "");
        if (!wanted.empty() && name != wanted &&
            json_or<std::string>(each, "server_id", "") != wanted) {
            continue;
        }
        servers.push_back(
            Json{{"server", name}, {"wan", json_or<Json>(each, "wan", Json::object())}});
    }
    if (servers.empty()) return fail(Errc::not_found, "{} has no such server", site);
    Json artifacts = Json::array();
    for (const auto& each : json_or<Json>(status, "artifacts", Json::array())) {
        Json row = Json::object();
        for (const char* key :
             {"artifact", "version", "size_bytes", "wan_bytes", "wan", "fetcher", "passing"}) {
            if (each.contains(key)) row[key] = each.at(key);
        }
        artifacts.push_back(std::move(row));
    }
    const Json shown{{"site", site}, {"servers", servers}, {"artifacts", artifacts}};
    session.emit(shown, [&] {
        const auto width = session.terminal().out_width();
        return servers_text(servers, width) + artifacts_text(artifacts, width);
    });
    return ExitCode::done;
}

std::vector<Argument> whom() {
    return {
        positional("SITE", "CLIENT/DATACENTER"),
        positional("SERVER", "hostname or server id; default: every server of the site", false)};
}

}  // namespace

Command wan_pause_command() {
    auto arguments = whom();
    arguments.push_back(option("for", "DURATION", "such as 2h; default: until it is resumed",
                               Argument::Check::duration));
    return {.path = "wan pause",
            .summary = "stop pulling from repositories; what is at the site goes on being shared",
            .arguments = std::move(arguments),
            .run = run_pause,
            .details =
                "Survives a restart of the agent. A pull under way stops and goes on later\n"
                "where it was. Exit code 5 when a server is out of reach, 7 when one does\n"
                "not answer in time."};
}

Command wan_resume_command() {
    return {.path = "wan resume",
            .summary = "pull from repositories again",
            .arguments = whom(),
            .run = run_resume};
}

Command wan_show_command() {
    return {.path = "wan show",
            .summary = "what a site pulled from repositories and why, and whether it may",
            .arguments = whom(),
            .run = run_show,
            .details =
                "first, resumed: the artifact itself. duplicate: the site had it, or it had to be\n"
                "thrown away. repaired: it came wrong, or mends a copy that was whole."};
}

}  // namespace clarity::cli
