#include "cli/commands.hpp"
#include "cli/inventory_facts.hpp"
#include "cli/session.hpp"
#include "cli/view/units.hpp"
#include "protocol/inventory/inventory.hpp"

namespace clarity::cli {
namespace {

/// Problems that the coordinator found and this program did not, as lines.
void note_problems(Session& session, const Json& body, const char* key) {
    for (const auto& each : json_or<Json>(body, key, Json::array())) {
        if (each.is_string()) {
            session.note("{}", each.get<std::string>());
            continue;
        }
        session.note("{}:{}: {}", json_or<std::string>(each, "file", "?"),
                     json_or<int>(each, "line", 0), json_or<std::string>(each, "message", ""));
    }
}

Result<ExitCode> run(Session& session, const Arguments& arguments) {
    const auto folder = arguments.text_or("DIR", ".");
    CLARITY_TRY(const auto files, local_files(folder));
    const auto loaded = inventory::load(files);
    std::size_t errors = 0;
    for (const auto& each : loaded.problems) {
        errors += each.severity == inventory::Severity::error ? 1U : 0U;
        session.note("{}", each.text());
    }
    if (errors > 0) {
        return fail(Errc::invalid, "{}: {}; nothing was sent", folder, count_of(errors, "error"));
    }
    CLARITY_TRY(const auto api, session.api());
    Json body{{"files", Json::object()}, {"correlation_id", random_uuid()}};
    for (const auto& [path, text] : files) body["files"][path] = text;
    CLARITY_TRY(auto answer, api.call("PUT", "/api/v1/inventory", &body));
    note_problems(session, answer.body, "problems");
    CLARITY_TRY(const auto taken, api.accept(std::move(answer)));
    session.note("{} took {}: {}, {}; nothing changes at a site before clarity publish", api.url(),
                 count_of(files.size(), "file"),
                 count_of(json_or<std::size_t>(taken, "clients", 0), "client"),
                 count_of(json_or<std::size_t>(taken, "servers", 0), "server"));
    session.emit(taken, [&] { return json_or<std::string>(taken, "digest", "") + "\n"; });
    return ExitCode::done;
}

}  // namespace

Command apply_command() {
    return {.path = "apply",
            .summary = "validate an inventory and give it to the coordinator",
            .arguments = {positional("DIR", "its folder; default: this one", false)},
            .run = run,
            .details = "Prints the digest that the coordinator stored it under."};
}

}  // namespace clarity::cli
