#include <ctime>

#include "cli/commands.hpp"
#include "cli/node_query.hpp"
#include "cli/session.hpp"
#include "cli/view/status_text.hpp"
#include "cli/view/yaml_text.hpp"

namespace clarity::cli {
namespace {

constexpr std::int64_t default_timeout_s = 5;

/// Whom to ask, from the arguments.
struct Source {
    std::string site;
    std::string node;
    std::string socket;
};

int node_timeout_ms(const Session& session) {
    return static_cast<int>(std::min<std::int64_t>(session.timeout_ms(default_timeout_s), 60'000));
}

Result<Json> from_coordinator(Session& session, std::string site, bool store_rosters) {
    CLARITY_TRY(const auto api, session.api());
    std::vector<std::string> sites = {site};
    if (site.empty()) {
        CLARITY_TRY(const auto list, api.get("/api/v1/sites"));
        sites = site_names(list);
        if (sites.empty()) {
            return fail(Errc::not_found,
                        "the coordinator has no site: run clarity apply DIR first");
        }
    }
    Json answers = Json::array();
    for (const auto& each : sites) {
        CLARITY_TRY(const auto path, site_path(each));
        CLARITY_TRY(auto answer, api.get("/api/v1/sites/" + path + "/status"));
        answers.push_back(std::move(answer));
        if (!store_rosters) continue;
        if (const auto roster = session.refresh_roster(each);
            !roster && roster.error().code == Errc::bad_signature) {
            session.note("roster of {} not stored: {}", each, roster.error().message);
        }
    }
    if (answers.size() == 1) return answers.front();
    return Json{{"sites", std::move(answers)}};
}

/// Asks the nodes of the stored rosters in turn until one answers.
Result<Json> from_nodes(Session& session, const std::string& site) {
    CLARITY_TRY(const auto root, session.stored_root());
    CLARITY_TRY(const auto observer, observer_key(session.store()));
    std::vector<Roster> rosters;
    for (auto& roster : session.store().rosters(root)) {
        if (site.empty() || roster.site == site) rosters.push_back(std::move(roster));
    }
    if (rosters.empty()) {
        return fail(Errc::network,
                    "no roster of {} is stored on this machine, so no node can be "
                    "asked",
                    site.empty() ? "any site" : site);
    }
    Json answers = Json::array();
    std::string refused;
    for (const auto& roster : rosters) {
        for (const auto& member : roster.members) {
            if (Terminal::interrupted()) return fail(Errc::cancelled, "stopped");
            const NodeTarget node{member.hostname, member.mesh_endpoint, member.key};
            auto answer = ask_node(node, observer, std::min(node_timeout_ms(session), 2'000));
            if (answer) {
                session.note("answered by {} at {}", node.name, node.endpoint);
                answers.push_back(*std::move(answer));
                break;
            }
            session.note("{}", answer.error().message);
            refused = answer.error().message;
        }
    }
    if (answers.empty()) return fail(Errc::network, "no node answers either");
    if (answers.size() == 1) return answers.front();
    return Json{{"sites", std::move(answers)}};
}

Result<Json> look(Session& session, const Source& source, bool first) {
    if (!source.socket.empty()) return ask_socket(source.socket, node_timeout_ms(session));
    if (!source.node.empty()) {
        CLARITY_TRY(const auto root, session.stored_root());
        CLARITY_TRY(const auto observer, observer_key(session.store()));
        CLARITY_TRY(const auto node, find_node(session.store().rosters(root), source.node));
        return ask_node(node, observer, node_timeout_ms(session));
    }
    auto answer = from_coordinator(session, source.site, first);
    const bool away =
        !answer && (answer.error().code == Errc::network || answer.error().code == Errc::timeout);
    if (!away) return answer;
    session.note("{}", answer.error().message);
    session.note("asking the nodes that this machine knows");
    return from_nodes(session, source.site);
}

std::string table_of(Session& session, const Json& answer) {
    const auto width = session.terminal().out_width();
    const std::int64_t now = std::time(nullptr);
    if (!answer.contains("sites")) return status_text(answer, width, now);
    std::string text;
    for (const auto& each : answer.at("sites")) {
        text += (text.empty() ? "" : "\n") + status_text(each, width, now);
    }
    return text;
}

/// One answer of many: JSON a line each, YAML a document each, tables one over the other.
bool emit_next(Session& session, const Json& answer) {
    auto& terminal = session.terminal();
    switch (session.options().format) {
        case Format::json: return terminal.out(to_text(answer) + "\n");
        case Format::yaml: return terminal.out("---\n" + yaml_text(answer));
        case Format::table: break;
    }
    if (terminal.can_clear()) terminal.clear_screen();
    return terminal.out(table_of(session, answer) + (terminal.can_clear() ? "" : "\n"));
}

Result<ExitCode> watch(Session& session, const Source& source, std::int64_t interval_s) {
    constexpr std::int64_t century_s = 100LL * 366 * 86400;
    const auto until = monotonic_ms() + session.timeout_ms(century_s);
    for (bool first = true; !Terminal::interrupted(); first = false) {
        auto answer = look(session, source, first);
        if (answer) {
            if (!emit_next(session, *answer)) break;  // nobody reads any more
        } else {
            const auto code = answer.error().code;
            const bool passes = code == Errc::network || code == Errc::timeout;
            if (!passes) return tl::unexpected<Error>(std::move(answer).error());
            session.note("{}", answer.error().message);
        }
        if (monotonic_ms() >= until) break;
        if (!Terminal::wait(interval_s * 1000)) break;
    }
    return ExitCode::done;
}

Result<ExitCode> run(Session& session, const Arguments& arguments) {
    Source source{arguments.text("SITE"), arguments.text("node"), arguments.text("socket")};
    if (!source.site.empty()) CLARITY_CHECK(site_path(source.site));
    if (!source.node.empty() && !source.socket.empty()) {
        session.note("clarity: --node and --socket exclude each other");
        return ExitCode::usage;
    }
    if (arguments.has("watch")) return watch(session, source, arguments.seconds_or("interval", 2));
    CLARITY_TRY(const auto answer, look(session, source, true));
    session.emit(answer, [&] { return table_of(session, answer); });
    return ExitCode::done;
}

}  // namespace

Command status_command() {
    return {.path = "status",
            .summary = "how a site is, from the coordinator or any node",
            .arguments = {positional("SITE", "CLIENT/DATACENTER; default: all", false),
                          option("node", "ADDRESS", "ask this node: host, host:port or hostname"),
                          option("socket", "PATH", "ask the agent on this machine"),
                          flag("watch", "again and again until Ctrl-C"),
                          option("interval", "DURATION", "between two looks; default 2s",
                                 Argument::Check::duration)},
            .run = run,
            .details =
                "Asks the coordinator; where it is away, the nodes of the rosters stored here, in\n"
                "turn. The answer is the same from anywhere. Several sites: {\"sites\": [...]}.",
            .homeless = true};
}

}  // namespace clarity::cli
