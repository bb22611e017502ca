#include "cli/commands.hpp"
#include "cli/session.hpp"

namespace clarity::cli {
namespace {

Result<ExitCode> run(Session& session, const Arguments&) {
    Json json{{"version", CLARITY_VERSION}};
    // The coordinator's version too where one answers; no error where none does.
    if (const auto api = session.api()) {
        if (const auto info = api->get("/api/v1/info")) {
            json["coordinator"] =
                Json{{"url", api->url()}, {"version", json_or<std::string>(*info, "version", "")}};
        }
    }
    session.emit(json, [&] {
        auto text = fmt::format("clarity {}\n", CLARITY_VERSION);
        if (json.contains("coordinator")) {
            text += fmt::format("coordinator {} at {}\n",
                                json_or<std::string>(json["coordinator"], "version", ""),
                                json_or<std::string>(json["coordinator"], "url", ""));
        }
        return text;
    });
    return ExitCode::done;
}

}  // namespace

Command version_command() {
    return {.path = "version",
            .summary = "the version of this program and of the coordinator",
            .arguments = {},
            .run = run,
            .homeless = true};
}

}  // namespace clarity::cli
