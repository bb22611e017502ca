#include "cli/commands.hpp"
#include "cli/session.hpp"
#include "cli/view/status_text.hpp"
#include "cli/watch.hpp"
#include "protocol/http/client.hpp"

namespace clarity::cli {
namespace {

/// The newest deployment of the site.
Result<std::string> last_of(Session& session, const Api& api, const std::string& named) {
    CLARITY_TRY(const auto site, session.site_or_only(named));
    CLARITY_TRY(const auto list, api.get("/api/v1/deployments?site=" + url_encode(site)));
    const Json& all =
        list.is_object() && list.contains("deployments") ? list.at("deployments") : list;
    std::string id;
    std::uint64_t newest = 0;
    for (const auto& each : all) {
        const auto seq = json_or<std::uint64_t>(each, "seq", 0);
        if (seq < newest) continue;
        newest = seq;
        id = json_or<std::string>(each, "id", "");
    }
    if (id.empty()) return fail(Errc::not_found, "{}: nothing was published there yet", site);
    return id;
}

Result<ExitCode> run(Session& session, const Arguments& arguments) {
    CLARITY_TRY(const auto api, session.api());
    auto id = arguments.text_or("DEPLOYMENT", "last");
    if (id == "last") {
        CLARITY_TRY(id, last_of(session, api, arguments.text("site")));
    }
    CLARITY_CHECK(session.confirm("Roll back deployment " + id + "?"));
    CLARITY_TRY(const auto answer, api.put("/api/v1/deployments/" + url_encode(id) + "/rollback",
                                           Json{{"correlation_id", random_uuid()}}));
    const auto watched = watched_from(answer, arguments.text("site"));
    session.note("published plan {} to {} with what ran before deployment {}", watched.seq,
                 watched.site, id);
    if (arguments.has("detach")) {
        session.emit(answer, [&] { return watched.id + "\n"; });
        return ExitCode::done;
    }
    return watch_deployment(session, watched);
}

}  // namespace

Command rollback_command() {
    return {.path = "rollback",
            .summary = "publish what ran before a deployment",
            .arguments = {positional("DEPLOYMENT", "its id, or last (the default)", false),
                          option("site", "SITE", "whose last; default: the only one"),
                          flag("detach", "return at once")},
            .run = run,
            .details = "A rollback is a new plan with a higher number. Exit codes as of publish."};
}

}  // namespace clarity::cli
