#include "cli/commands.hpp"
#include "cli/session.hpp"
#include "cli/view/table.hpp"
#include "cli/view/units.hpp"

namespace clarity::cli {
namespace {

std::string time_of(const Json& object, const char* key) {
    if (object.contains(key) && object.at(key).is_number()) {
        return format_time(json_or<std::int64_t>(object, key, 0));
    }
    return json_or<std::string>(object, key, "");
}

Result<ExitCode> run_create(Session& session, const Arguments& arguments) {
    CLARITY_TRY(const auto site, session.site_or_only(arguments.text("SITE")));
    CLARITY_TRY(const auto api, session.api());
    Json body{{"site", site}, {"ttl_s", arguments.seconds_or("ttl", 86400)}};
    if (arguments.has("server")) body["server"] = arguments.text("server");
    CLARITY_TRY(const auto answer, api.post("/api/v1/tokens", body));
    CLARITY_TRY(const auto token, json_get<std::string>(answer, "token"));
    session.note("for one server of {}, until {}; it is shown this once", site,
                 time_of(answer, "expires_at"));
    session.emit(answer, [&] { return token + "\n"; });
    return ExitCode::done;
}

Result<ExitCode> run_list(Session& session, const Arguments&) {
    CLARITY_TRY(const auto api, session.api());
    CLARITY_TRY(const auto answer, api.get("/api/v1/tokens"));
    session.emit(answer, [&] {
        const Json& list =
            answer.is_object() && answer.contains("tokens") ? answer.at("tokens") : answer;
        Table table({{"TOKEN"},
                     {"SITE", Align::left, true},
                     {"SERVER", Align::left, true},
                     {"STATE"},
                     {"EXPIRES"},
                     {"USED BY", Align::left, true}});
        for (const auto& each : list) {
            table.add({json_or<std::string>(each, "id", ""), json_or<std::string>(each, "site", ""),
                       json_or<std::string>(each, "server", ""),
                       json_or<std::string>(each, "state", ""), time_of(each, "expires_at"),
                       json_or<std::string>(each, "used_by", "")});
        }
        return table.text(session.terminal().out_width());
    });
    return ExitCode::done;
}

}  // namespace

Command token_create_command() {
    return {.path = "token create",
            .summary = "make a token with which one new server may join a site",
            .arguments = {positional("SITE", "CLIENT/DATACENTER; default: the only one", false),
                          option("server", "NAME", "only this hostname or server id"),
                          option("ttl", "DURATION", "how long it is good; default 24h",
                                 Argument::Check::duration)},
            .run = run_create,
            .details =
                "The token goes to standard output, once: "
                "clarity token create acme/dc-1 > join.token"};
}

Command token_list_command() {
    return {.path = "token list",
            .summary = "tokens without their secrets",
            .arguments = {},
            .run = run_list};
}

}  // namespace clarity::cli
