#include <algorithm>
#include <set>

#include "cli/cache_orders.hpp"
#include "cli/commands.hpp"
#include "cli/view/units.hpp"
#include "protocol/http/client.hpp"

namespace clarity::cli {
namespace {

constexpr std::int64_t default_timeout_s = 3600;
constexpr std::int64_t poll_ms = 500;
constexpr std::int64_t order_timeout_ms = 60'000;
constexpr std::int64_t backoff_max_ms = 5000;

/// Follows an artifact until these servers have it.
class Arrival {
  public:
    Arrival(Session& session, std::string site, std::string name, std::set<std::string> servers)
        : session_(session),
          site_(std::move(site)),
          name_(std::move(name)),
          servers_(std::move(servers)) {}

    Result<ExitCode> wait(std::int64_t timeout_ms);
    [[nodiscard]] const Json& seen() const { return seen_; }

  private:
    Result<bool> look(const Api& api, const std::string& path);

    Session& session_;
    std::string site_;
    std::string name_;
    std::set<std::string> servers_;
    std::set<std::string> errors_;
    std::size_t told_ = 0;
    Json seen_ = Json::object();
};

/// True when all of them have it.
Result<bool> Arrival::look(const Api& api, const std::string& path) {
    CLARITY_TRY(seen_, api.get(path));
    std::size_t whole = 0;
    for (const auto& each : json_or<Json>(seen_, "artifacts", Json::array())) {
        for (const auto& peer : json_or<Json>(each, "peers", Json::array())) {
            const auto server = json_or<std::string>(peer, "server", "");
            if (!servers_.contains(server)) continue;
            whole += json_or(peer, "complete", false) ? 1 : 0;
            const auto error = json_or<std::string>(peer, "error", "");
            if (!error.empty() && errors_.insert(server + error).second) {
                session_.note("{}: {}", server, error);
            }
        }
    }
    if (whole > told_) {
        session_.note("{} of {} have {}", whole, count_of(servers_.size(), "server"), name_);
    }
    told_ = std::max(told_, whole);
    return whole >= servers_.size();
}

Result<ExitCode> Arrival::wait(std::int64_t timeout_ms) {
    CLARITY_TRY(const auto api, session_.api());
    CLARITY_TRY(const auto at, site_path(site_));
    const auto path = "/api/v1/sites/" + at + "/artifacts?artifact=" + url_encode(name_);
    const auto began = monotonic_ms();
    std::int64_t pause_ms = poll_ms;
    while (true) {
        const auto done = look(api, path);
        if (done && *done) return ExitCode::done;
        const bool passes =
            done || done.error().code == Errc::network || done.error().code == Errc::timeout;
        if (!passes) return tl::unexpected<Error>(done.error());
        if (!done && pause_ms == poll_ms) session_.note("{}; asking again", done.error().message);
        pause_ms = done ? poll_ms : std::min(backoff_max_ms, pause_ms * 2);
        const auto waited = monotonic_ms() - began;
        if (waited >= timeout_ms) {
            session_.note(
                "not everywhere after {}; the servers go on: clarity artifact peers {} {}",
                format_duration(static_cast<double>(waited) / 1000), name_, site_);
            return ExitCode::timeout;
        }
        if (!Terminal::wait(std::min(pause_ms, timeout_ms - waited))) {
            session_.note("no longer watched; the servers go on: clarity artifact peers {} {}",
                          name_, site_);
            return ExitCode::interrupted;
        }
    }
}

/// "all" or a number; 0 = all.
Result<std::uint64_t> count_from(const Arguments& arguments) {
    const auto text = arguments.text_or("count", "all");
    if (text == "all") return 0;
    const bool digits =
        !text.empty() && text.size() < 6 &&
        std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
    const auto count = digits ? std::stoull(text) : 0;
    if (count == 0) {
        return fail(Errc::invalid, "--count {}: write all, or how many servers are to get it",
                    text);
    }
    return count;
}

Result<ExitCode> run(Session& session, const Arguments& arguments) {
    CLARITY_TRY(const auto count, count_from(arguments));
    if (count != 0 && arguments.has("server")) {
        session.note("clarity: --count and --server exclude each other");
        return ExitCode::usage;
    }
    CLARITY_TRY(auto request, cache_request(session, arguments, "prefetch", default_timeout_s));
    const auto timeout_ms = request.timeout_ms;
    request.timeout_ms = std::min(request.timeout_ms, order_timeout_ms);
    request.body["count"] = count;
    if (arguments.has("keep")) request.body["keep_s"] = arguments.seconds_or("keep", 0);
    if (arguments.has("environment")) request.body["environment"] = arguments.text("environment");
    CLARITY_TRY(const auto answers, order_caches(session, request));
    const auto code = report_answers(session, answers);
    std::set<std::string> servers;
    for (const auto& each : answers) {
        if (each.outcome == ServerAnswer::Outcome::done) servers.insert(each.server);
    }
    const auto name = arguments.text("NAME@VERSION");
    session.note("{} fetch {}", count_of(servers.size(), "server"), name);
    if (arguments.has("detach") || servers.empty()) {
        session.emit(answers_json(request, answers), [] { return ""; });
        return code;
    }
    Arrival arrival(session, request.site, name, servers);
    CLARITY_TRY(const auto arrived, arrival.wait(timeout_ms));
    session.emit(arrival.seen(), [] { return ""; });
    return arrived == ExitCode::done ? code : arrived;
}

}  // namespace

Command artifact_prefetch_command() {
    return {
        .path = "artifact prefetch",
        .summary = "get an artifact to the servers of a site before any plan needs it",
        .arguments = {positional("NAME@VERSION", "as registered"), site_argument(),
                      option("count", "N", "to so many servers, or all (the default)"),
                      servers_option(), environment_option(),
                      option("keep", "DURATION",
                             "how long to keep it when no plan names it; default 30d",
                             Argument::Check::duration),
                      flag("detach", "return when the servers have taken the order")},
        .run = run,
        .details =
            "One server pulls it for the site, under the same limits as ever; the others get it\n"
            "from there. It is pinned until a plan names it, unpin, or --keep is over. A restart\n"
            "goes on with it. Nothing is started or changed.\n"
            "  clarity artifact prefetch monitoring-stack@2.46.0 acme/dc-1 --count 2\n"
            "Exit codes: 0 it is there, 1 a server could not, 5 out of reach, 7 not within\n"
            "--timeout (default 1h)."};
}

}  // namespace clarity::cli
