#include "cli/commands.hpp"
#include "cli/session.hpp"
#include "cli/view/status_text.hpp"
#include "cli/view/units.hpp"
#include "cli/watch.hpp"

namespace clarity::cli {
namespace {

/// Shows what would change and asks. False when there is nothing to do.
Result<bool> approve(Session& session, DeploymentRequest request) {
    request.dry_run = true;
    CLARITY_TRY(const auto preview, post_deployment(session, request));
    const auto changes = change_count(preview);
    if (changes == 0) return false;
    for (std::string text = changes_text(preview, session.terminal().err_width()); !text.empty();) {
        const auto end = text.find('\n');
        session.note("{}", text.substr(0, end));
        text.erase(0, end + 1);
    }
    if (const auto download = download_text(preview); !download.empty()) {
        session.note("{}", download);
    }
    CLARITY_CHECK(session.confirm(fmt::format("Publish {} to {} ({})?", count_of(changes, "change"),
                                              request.site, request.environment)));
    return true;
}

Result<ExitCode> run(Session& session, const Arguments& arguments) {
    DeploymentRequest request;
    CLARITY_TRY(request.site, session.site_or_only(arguments.text("SITE")));
    CLARITY_TRY(request.environment,
                environment_or_running(session, request.site, arguments.text("environment")));
    request.correlation_id = random_uuid();
    request.allow_downgrade = arguments.has("allow-downgrade");
    if (!session.options().yes) {
        CLARITY_TRY(const bool wanted, approve(session, request));
        if (!wanted) {
            session.note("{}: nothing to change", request.site);
            return ExitCode::done;
        }
    }
    CLARITY_TRY(const auto answer, post_deployment(session, request));
    if (json_or(answer, "unchanged", false)) {
        session.note("{}: nothing to change", request.site);
        session.emit(answer, [] { return ""; });
        return ExitCode::done;
    }
    const auto watched = watched_from(answer, request.site);
    session.note("published plan {} to {} ({})", watched.seq, watched.site, request.environment);
    session.note("deployment {}", watched.id);
    session.note("correlation {}", request.correlation_id);
    if (const auto roster = session.refresh_roster(watched.site); !roster) {
        session.note("roster not stored for later: {}", roster.error().message);
    }
    if (arguments.has("detach")) {
        session.emit(answer, [&] { return watched.id + "\n"; });
        return ExitCode::done;
    }
    return watch_deployment(session, watched);
}

}  // namespace

Command publish_command() {
    return {.path = "publish",
            .summary = "sign and send the plan of a site, and watch it arrive",
            .arguments = {positional("SITE", "CLIENT/DATACENTER; default: the only one", false),
                          environment_option(),
                          flag("allow-downgrade", "accept versions older than those that run"),
                          flag("detach", "return at once; deployments show follows it")},
            .run = run,
            .details =
                "Waits until every server has settled: 0 done, 4 failed or rolled back, 5 some\n"
                "servers out of reach, 7 --timeout passed (default 1h). Ctrl-C ends the watch,\n"
                "not the deployment."};
}

}  // namespace clarity::cli
