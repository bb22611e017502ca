#include "cli/commands.hpp"
#include "cli/session.hpp"
#include "cli/view/table.hpp"
#include "cli/view/units.hpp"

namespace clarity::cli {
namespace {

Result<ExitCode> run(Session& session, const Arguments& arguments) {
    CLARITY_TRY(const auto api, session.api());
    CLARITY_TRY(const auto answer, api.get("/api/v1/agents"));
    const Json& list =
        answer.is_object() && answer.contains("agents") ? answer.at("agents") : answer;
    const auto site = arguments.text("SITE");
    Json shown = Json::array();
    for (const auto& each : list) {
        if (site.empty() || json_or<std::string>(each, "site", "") == site) shown.push_back(each);
    }
    session.emit(shown, [&] {
        Table table({{"SERVER", Align::left, true},
                     {"SITE", Align::left, true},
                     {"STATE"},
                     {"SEEN", Align::right},
                     {"PLAN", Align::right},
                     {"VERSION"},
                     {"SERVER ID", Align::left, true}});
        for (const auto& each : shown) {
            const auto seq = json_or<std::uint64_t>(each, "plan_seq", 0);
            table.add(
                {json_or<std::string>(each, "server", ""), json_or<std::string>(each, "site", ""),
                 json_or<std::string>(each, "state", ""),
                 format_duration(json_or<double>(each, "age_s", -1)),
                 seq == 0 ? "" : std::to_string(seq), json_or<std::string>(each, "version", ""),
                 json_or<std::string>(each, "server_id", "")});
        }
        return table.text(session.terminal().out_width());
    });
    return ExitCode::done;
}

}  // namespace

Command agents_command() {
    return {.path = "agents",
            .summary = "every enrolled agent and when it was last heard of",
            .arguments = {positional("SITE", "CLIENT/DATACENTER; default: all", false)},
            .run = run};
}

}  // namespace clarity::cli
