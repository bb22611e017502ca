#include "cli/watch.hpp"

#include <algorithm>
#include <random>

#include "cli/view/progress.hpp"
#include "cli/view/status_text.hpp"
#include "cli/view/units.hpp"
#include "protocol/http/client.hpp"
#include "protocol/plan.hpp"

namespace clarity::cli {
namespace {

constexpr std::int64_t default_timeout_s = 3600;
constexpr std::int64_t grace_ms = 15'000;
constexpr std::int64_t poll_ms = 300;
constexpr std::int64_t backoff_max_ms = 5'000;

/// The mesh's word on each server, where the deployment's answer does not have it.
void add_states(Json& deployment, const Json& status) {
    if (!deployment.contains("servers") || !deployment.at("servers").is_array()) return;
    const auto seen = json_or<Json>(status, "servers", Json::array());
    for (auto& server : deployment.at("servers")) {
        if (!server.is_object() || server.contains("state")) continue;
        const auto name = json_or<std::string>(server, "server_id", "");
        for (const auto& each : seen) {
            if (json_or<std::string>(each, "server_id", "?") == name) {
                server["state"] = json_or<std::string>(each, "state", "unknown");
            }
        }
    }
}

/// One watch: what was seen so far and when.
class Watch {
  public:
    Watch(Session& session, const Watched& watched, Api api, std::string path)
        : session_(session),
          watched_(watched),
          api_(std::move(api)),
          path_(std::move(path)),
          progress_(watched.seq, watched.artifacts) {}

    Result<ExitCode> run();

  private:
    Result<void> look();
    void show();
    [[nodiscard]] std::optional<ExitCode> over();
    [[nodiscard]] ExitCode finish(ExitCode code);
    [[nodiscard]] ExitCode give_up(std::int64_t waited_ms);

    Session& session_;
    const Watched& watched_;
    Api api_;
    std::string path_;
    Progress progress_;
    ProgressLog log_;
    Json deployment_ = Json::object();
    std::int64_t started_ms_ = monotonic_ms();
    std::int64_t waiting_ms_ = 0;  ///< when something was last still expected
    bool lost_ = false;
};

Result<void> Watch::look() {
    CLARITY_TRY(auto deployment, api_.get("/api/v1/deployments/" + url_encode(watched_.id)));
    CLARITY_TRY(const auto status, api_.get("/api/v1/sites/" + path_ + "/status"));
    add_states(deployment, status);
    deployment_ = std::move(deployment);
    progress_.update(status, monotonic_ms());
    return {};
}

void Watch::show() {
    auto& terminal = session_.terminal();
    if (terminal.can_redraw()) {
        const auto width = terminal.err_width();
        terminal.draw(progress_block(progress_, width > 1 ? width - 1 : 79));
        return;
    }
    for (const auto& line : log_.changes(progress_)) terminal.note(line);
}

std::optional<ExitCode> Watch::over() {
    const auto view = view_of(deployment_);
    const auto now = monotonic_ms();
    if (view.waiting > 0 || view.servers == 0) waiting_ms_ = now;
    return outcome_of(view, now - waiting_ms_, grace_ms);
}

ExitCode Watch::finish(ExitCode code) {
    session_.terminal().keep_block();
    const auto view = view_of(deployment_);
    const auto seconds = static_cast<double>(monotonic_ms() - started_ms_) / 1000;
    if (code == ExitCode::done) {
        session_.note("done: plan {} at {} in {}", watched_.seq, count_of(view.servers, "server"),
                      format_duration(seconds));
    } else if (code == ExitCode::failed) {
        session_.note("plan {} {}: see clarity status {}", watched_.seq,
                      view.state == "rolled_back" ? "failed and was rolled back" : "failed",
                      watched_.site);
    } else {
        session_.note(
            "plan {} is done at {} of {}; the others are out of reach and get it when "
            "they are back",
            watched_.seq, view.settled, count_of(view.servers, "server"));
    }
    const auto width = session_.terminal().out_width();
    session_.emit(deployment_, [&] { return deployment_text(deployment_, width); });
    return code;
}

ExitCode Watch::give_up(std::int64_t waited_ms) {
    session_.terminal().keep_block();
    session_.note("not over after {}; it goes on without this watch: clarity deployments show {}",
                  format_duration(static_cast<double>(waited_ms) / 1000), watched_.id);
    return lost_ ? ExitCode::partial : ExitCode::timeout;
}

Result<ExitCode> Watch::run() {
    const auto timeout_ms = session_.timeout_ms(default_timeout_s);
    std::minstd_rand chance(std::random_device{}());
    std::int64_t pause_ms = poll_ms;
    waiting_ms_ = started_ms_;
    while (true) {
        if (const auto seen = look(); seen) {
            if (lost_) session_.note("the coordinator answers again");
            lost_ = false;
            pause_ms = poll_ms;
            show();
            if (const auto code = over()) return finish(*code);
        } else if (const auto code = seen.error().code;
                   code != Errc::network && code != Errc::timeout && code != Errc::failed) {
            return tl::unexpected<Error>(seen.error());
        } else {
            if (!lost_) session_.note("{}; asking again", seen.error().message);
            lost_ = true;
            pause_ms = std::min(backoff_max_ms, pause_ms * 2);
        }
        const auto waited = monotonic_ms() - started_ms_;
        if (waited >= timeout_ms) return give_up(waited);
        std::uniform_int_distribution<std::int64_t> jitter(0, lost_ ? pause_ms / 2 : 0);
        if (!Terminal::wait(std::min(pause_ms + jitter(chance), timeout_ms - waited))) {
            session_.terminal().keep_block();
            session_.note("no longer watched; the deployment goes on: clarity deployments show {}",
                          watched_.id);
            return ExitCode::interrupted;
        }
    }
}

}  // namespace

Watched watched_from(const Json& answer, const std::string& site) {
    Watched watched;
    watched.id = json_or<std::string>(answer, "id", "");
    watched.seq = json_or<std::uint64_t>(answer, "seq", 0);
    watched.site = json_or<std::string>(answer, "site", site);
    for (const auto& each : json_or<Json>(answer, "artifacts", Json::array())) {
        watched.artifacts.insert(json_or<std::string>(each, "artifact", "") + "@" +
                                 json_or<std::string>(each, "version", ""));
    }
    return watched;
}

Result<ExitCode> watch_deployment(Session& session, const Watched& watched) {
    CLARITY_TRY(auto api, session.api());
    CLARITY_TRY(auto path, site_path(watched.site));
    return Watch(session, watched, std::move(api), std::move(path)).run();
}

Result<Json> post_deployment(Session& session, const DeploymentRequest& request) {
    CLARITY_CHECK(site_path(request.site));
    CLARITY_TRY(const auto api, session.api());
    const auto slash = request.site.find('/');
    return api.post("/api/v1/deployments", Json{{"client", request.site.substr(0, slash)},
                                                {"datacenter", request.site.substr(slash + 1)},
                                                {"environment", request.environment},
                                                {"correlation_id", request.correlation_id},
                                                {"dry_run", request.dry_run},
                                                {"allow_downgrade", request.allow_downgrade},
                                                {"stage", request.stage},
                                                {"not_before", request.not_before_unix_s},
                                                {"rollback", nullptr}});
}

Result<std::string> environment_or_running(Session& session, const std::string& site,
                                           const std::string& named) {
    if (!named.empty()) {
        if (environment_from(named)) return named;
        return fail(Errc::invalid, "\"{}\" is not an environment: dev, staging, prod or mock",
                    named);
    }
    CLARITY_TRY(const auto path, site_path(site));
    CLARITY_TRY(const auto api, session.api());
    const auto status = api.get("/api/v1/sites/" + path + "/status");
    const auto plan = status ? json_or<Json>(*status, "plan", Json::object()) : Json::object();
    auto running = json_or<std::string>(plan, "environment", "");
    if (running.empty()) {
        return fail(Errc::invalid,
                    "{}: runs no plan yet, so say which environment: "
                    "--environment prod",
                    site);
    }
    return running;
}

}  // namespace clarity::cli
