#include "cli/commands.hpp"
#include "cli/session.hpp"
#include "cli/view/table.hpp"
#include "cli/view/units.hpp"
#include "protocol/http/client.hpp"

namespace clarity::cli {
namespace {

std::string sources_of(const Json& manifest) {
    std::string out;
    for (const auto& each : json_or<Json>(manifest, "sources", Json::array())) {
        if (!out.empty()) out += ", ";
        if (each.is_string()) {
            out += each.get<std::string>();
        } else {
            out += json_or<std::string>(each, "repository", "") + ":" +
                   json_or<std::string>(each, "path", "");
        }
    }
    return out;
}

Result<ExitCode> run(Session& session, const Arguments& arguments) {
    CLARITY_TRY(const auto api, session.api());
    std::string path = "/api/v1/manifests";
    if (arguments.has("NAME")) path += "?artifact=" + url_encode(arguments.text("NAME"));
    CLARITY_TRY(const auto answer, api.get(path));
    session.emit(answer, [&] {
        const Json& list =
            answer.is_object() && answer.contains("manifests") ? answer.at("manifests") : answer;
        Table table({{"ARTIFACT"},
                     {"VERSION"},
                     {"TYPE"},
                     {"SIZE", Align::right},
                     {"PIECES", Align::right},
                     {"SHA-256", Align::left, true},
                     {"SOURCES", Align::left, true}});
        for (const auto& each : list) {
            table.add({json_or<std::string>(each, "artifact", ""),
                       json_or<std::string>(each, "version", ""),
                       json_or<std::string>(each, "type", ""),
                       format_bytes(json_or<std::uint64_t>(each, "size_bytes", 0)),
                       std::to_string(json_or<std::uint64_t>(each, "pieces", 0)),
                       json_or<std::string>(each, "sha256", ""), sources_of(each)});
        }
        return table.text(session.terminal().out_width());
    });
    return ExitCode::done;
}

}  // namespace

Command artifact_list_command() {
    return {.path = "artifact list",
            .summary = "registered artifact versions",
            .arguments = {positional("NAME", "only this artifact", false)},
            .run = run};
}

}  // namespace clarity::cli
