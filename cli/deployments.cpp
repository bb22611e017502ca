#include <ctime>

#include "cli/commands.hpp"
#include "cli/session.hpp"
#include "cli/view/status_text.hpp"
#include "cli/view/table.hpp"
#include "cli/view/units.hpp"
#include "protocol/http/client.hpp"

namespace clarity::cli {
namespace {

/// How long ago, as "5 m 10 s"; the exact time is in -o json.
std::string age_of(const Json& object, const char* key) {
    const auto age = seconds_since(json_or<std::string>(object, key, ""), std::time(nullptr));
    return age < 0 ? "" : format_duration(age);
}

Result<ExitCode> run_list(Session& session, const Arguments& arguments) {
    CLARITY_TRY(const auto api, session.api());
    std::string path = "/api/v1/deployments";
    if (arguments.has("SITE")) path += "?site=" + url_encode(arguments.text("SITE"));
    CLARITY_TRY(const auto answer, api.get(path));
    session.emit(answer, [&] {
        const Json& list = answer.is_object() && answer.contains("deployments")
                               ? answer.at("deployments")
                               : answer;
        Table table({{"DEPLOYMENT"},
                     {"SITE", Align::left, true},
                     {"PLAN", Align::right},
                     {"ENV"},
                     {"STATE"},
                     {"AGE", Align::right}});
        for (const auto& each : list) {
            table.add({json_or<std::string>(each, "id", ""), json_or<std::string>(each, "site", ""),
                       std::to_string(json_or<std::uint64_t>(each, "seq", 0)),
                       json_or<std::string>(each, "environment", ""),
                       json_or<std::string>(each, "state", ""), age_of(each, "created_at")});
        }
        return table.text(session.terminal().out_width());
    });
    return ExitCode::done;
}

Result<ExitCode> run_show(Session& session, const Arguments& arguments) {
    CLARITY_TRY(const auto api, session.api());
    const auto id = arguments.text("DEPLOYMENT");
    CLARITY_TRY(const auto answer, api.get("/api/v1/deployments/" + url_encode(id)));
    session.emit(answer, [&] { return deployment_text(answer, session.terminal().out_width()); });
    return ExitCode::done;
}

}  // namespace

Command deployments_list_command() {
    return {.path = "deployments list",
            .summary = "deployments, of one site or all",
            .arguments = {positional("SITE", "CLIENT/DATACENTER; default: all", false)},
            .run = run_list};
}

Command deployments_show_command() {
    return {.path = "deployments show",
            .summary = "one deployment, server by server",
            .arguments = {positional("DEPLOYMENT", "its id")},
            .run = run_show};
}

}  // namespace clarity::cli
