#include <time.h>

#include <ctime>

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
    const bool activates = json_or(preview, "activates", false);
    if (changes == 0 && !activates) return false;
    if (activates) {
        session.note("{}: begins what is staged there", request.site);
    }
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

/// Seconds since 1970 of "2026-11-24T02:00:00Z", or so long from now of "2h".
Result<std::int64_t> time_from(const std::string& text) {
    const std::int64_t now = std::time(nullptr);
    if (const auto duration = parse_duration(text)) return now + *duration;
    std::tm parts{};
    const auto* end = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
    if (end == nullptr || *end != '\0') {
        return fail(Errc::invalid,
                    "--at {}: write a time in UTC such as 2026-11-24T02:00:00Z, or how long from "
                    "now, such as 2h",
                    text);
    }
    const std::int64_t at = ::timegm(&parts);
    if (at <= now) return fail(Errc::invalid, "--at {}: that is over", text);
    return at;
}

Result<void> read_start(const Arguments& arguments, DeploymentRequest& request) {
    request.stage = arguments.has("stage");
    if (!arguments.has("at")) return {};
    if (request.stage) return fail(Errc::invalid, "--stage and --at exclude each other");
    CLARITY_TRY(request.not_before_unix_s, time_from(arguments.text("at")));
    return {};
}

/// Nobody watches for hours: says how it goes on.
ExitCode staged(Session& session, const Watched& watched, const DeploymentRequest& request) {
    session.note("{} fetches what it lacks now and {}", watched.site,
                 request.stage
                     ? "begins when it is published again: clarity publish " + watched.site
                     : "begins at " + format_time(request.not_before_unix_s));
    session.emit(Json{{"id", watched.id},
                      {"seq", watched.seq},
                      {"site", watched.site},
                      {"staged", true},
                      {"not_before", request.not_before_unix_s}},
                 [&] { return watched.id + "\n"; });
    return ExitCode::done;
}

Result<ExitCode> run(Session& session, const Arguments& arguments) {
    DeploymentRequest request;
    CLARITY_CHECK(read_start(arguments, request));
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
    if (request.stage || request.not_before_unix_s != 0) {
        return staged(session, watched, request);
    }
    if (arguments.has("detach")) {
        session.emit(answer, [&] { return watched.id + "\n"; });
        return ExitCode::done;
    }
    return watch_deployment(session, watched);
}

}  // namespace

Command publish_command() {
    return {
        .path = "publish",
        .summary = "sign and send the plan of a site, and watch it arrive",
        .arguments = {positional("SITE", "CLIENT/DATACENTER; default: the only one", false),
                      environment_option(),
                      flag("allow-downgrade", "accept versions older than those that run"),
                      flag("stage", "only fetch what is lacking; publish again begins it"),
                      option("at", "TIME",
                             "fetch now, begin then: 2026-11-24T02:00:00Z (UTC), or 2h from now"),
                      flag("detach", "return at once; deployments show follows it")},
        .run = run,
        .details =
            "With --stage or --at the artifacts cross the WAN now and nothing is started or\n"
            "stopped before; returns at once.\n"
            "  clarity publish acme/dc-1 --at 2026-11-24T02:00:00Z\n"
            "Waits until every server has settled: 0 done, 4 failed or rolled back, 5 some\n"
            "servers out of reach, 7 --timeout passed (default 1h). Ctrl-C ends the watch,\n"
            "not the deployment."};
}

}  // namespace clarity::cli
