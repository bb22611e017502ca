#include "cli/commands.hpp"
#include "cli/session.hpp"
#include "cli/view/status_text.hpp"
#include "cli/watch.hpp"

namespace clarity::cli {
namespace {

Result<ExitCode> run(Session& session, const Arguments& arguments) {
    DeploymentRequest request;
    CLARITY_TRY(request.site, session.site_or_only(arguments.text("SITE")));
    CLARITY_TRY(request.environment,
                environment_or_running(session, request.site, arguments.text("environment")));
    request.correlation_id = random_uuid();
    request.dry_run = true;
    request.allow_downgrade = arguments.has("allow-downgrade");
    CLARITY_TRY(const auto answer, post_deployment(session, request));
    const auto changes = change_count(answer);
    const auto width = session.terminal().out_width();
    session.emit(answer, [&] { return changes_text(answer, width); });
    if (changes == 0) {
        session.note("{}: nothing would change", request.site);
        return ExitCode::done;
    }
    if (const auto download = download_text(answer); !download.empty()) {
        session.note("{}", download);
    }
    return ExitCode::pending;
}

}  // namespace

Command plan_command() {
    return {.path = "plan",
            .summary = "show what publish would change, per server",
            .arguments = {positional("SITE", "CLIENT/DATACENTER; default: the only one", false),
                          environment_option(),
                          flag("allow-downgrade", "accept versions older than those that run")},
            .run = run,
            .details = "Ends with 3 when changes are pending, 0 when there are none."};
}

}  // namespace clarity::cli
