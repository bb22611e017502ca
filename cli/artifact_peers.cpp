#include <algorithm>

#include "cli/artifact.hpp"
#include "cli/cache_orders.hpp"
#include "cli/commands.hpp"
#include "cli/node_query.hpp"
#include "cli/session.hpp"
#include "cli/view/table.hpp"
#include "cli/view/units.hpp"
#include "protocol/http/client.hpp"

namespace clarity::cli {
namespace {

constexpr std::int64_t default_timeout_s = 5;
constexpr int node_timeout_max_ms = 2000;

struct Wanted {
    std::string name;  ///< NAME or NAME@VERSION
    std::string site;
    std::string node;
    std::string socket;
};

int timeout_ms(const Session& session) {
    return static_cast<int>(std::min<std::int64_t>(session.timeout_ms(default_timeout_s), 60'000));
}

/// The nodes of the site's stored roster in turn, until one answers.
Result<Json> from_nodes(Session& session, const Wanted& wanted) {
    CLARITY_TRY(const auto root, session.stored_root());
    CLARITY_TRY(const auto observer, observer_key(session.store()));
    for (const auto& roster : session.store().rosters(root)) {
        if (!wanted.site.empty() && roster.site != wanted.site) continue;
        for (const auto& member : roster.members) {
            if (Terminal::interrupted()) return fail(Errc::cancelled, "stopped");
            const NodeTarget node{member.hostname, member.mesh_endpoint, member.key};
            auto answer =
                ask_node(node, observer, std::min(timeout_ms(session), node_timeout_max_ms),
                         {.name = "artifact", .path = wanted.name});
            if (answer) return answer;
            session.note("{}", answer.error().message);
        }
    }
    return fail(Errc::network, "no node that this machine knows answers either");
}

Result<Json> from_coordinator(Session& session, Wanted& wanted) {
    CLARITY_TRY(const auto api, session.api());
    CLARITY_TRY(wanted.site, session.site_or_only(wanted.site));
    CLARITY_TRY(const auto path, site_path(wanted.site));
    return api.get("/api/v1/sites/" + path + "/artifacts?artifact=" + url_encode(wanted.name));
}

Result<Json> look(Session& session, Wanted& wanted) {
    const query::Question question{.name = "artifact", .path = wanted.name};
    if (!wanted.socket.empty()) return ask_socket(wanted.socket, timeout_ms(session), question);
    if (!wanted.node.empty()) {
        CLARITY_TRY(const auto root, session.stored_root());
        CLARITY_TRY(const auto observer, observer_key(session.store()));
        CLARITY_TRY(const auto node, find_node(session.store().rosters(root), wanted.node));
        return ask_node(node, observer, timeout_ms(session), question);
    }
    auto answer = from_coordinator(session, wanted);
    const bool away =
        !answer && (answer.error().code == Errc::network || answer.error().code == Errc::timeout);
    if (!away) return answer;
    session.note("{}", answer.error().message);
    session.note("asking the nodes that this machine knows");
    return from_nodes(session, wanted);
}

std::string bytes_or_none(const Json& peer, const char* key) {
    return peer.contains(key) ? format_bytes(json_or<std::uint64_t>(peer, key, 0)) : "";
}

std::string text_of(const Json& answer, std::size_t width) {
    std::string out;
    for (const auto& each : json_or<Json>(answer, "artifacts", Json::array())) {
        const auto copies = json_or<std::uint64_t>(each, "copies", 0);
        const auto fetcher = json_or<std::string>(each, "fetcher", "");
        out += fmt::format("{}{}@{}: {}, {} at {}{}\n", out.empty() ? "" : "\n",
                           json_or<std::string>(each, "artifact", ""),
                           json_or<std::string>(each, "version", ""),
                           format_bytes(json_or<std::uint64_t>(each, "size_bytes", 0)),
                           copies == 1 ? "1 copy" : fmt::format("{} copies", copies),
                           json_or<std::string>(answer, "site", ""),
                           fetcher.empty() ? "" : ", fetched by " + fetcher);
        Table table({{"SERVER", Align::left, true},
                     {"STATE"},
                     {"SEEN", Align::right},
                     {"HAS", Align::right},
                     {"PINNED"},
                     {"FETCHES"},
                     {"WAN", Align::right},
                     {"LAN", Align::right},
                     {"ERROR", Align::left, true}});
        for (const auto& peer : json_or<Json>(each, "peers", Json::array())) {
            table.add(
                {json_or<std::string>(peer, "server", ""), json_or<std::string>(peer, "state", ""),
                 format_duration(json_or<double>(peer, "age_s", -1)),
                 fmt::format("{:.0f} %", 100 * json_or<double>(peer, "share", 0)),
                 json_or(peer, "pinned", false) ? "yes" : "no",
                 json_or(peer, "fetching", false) ? "yes" : "no", bytes_or_none(peer, "wan_bytes"),
                 bytes_or_none(peer, "lan_bytes"), json_or<std::string>(peer, "error", "")});
        }
        if (!table.empty()) out += table.text(width);
    }
    return out;
}

Result<ExitCode> run(Session& session, const Arguments& arguments) {
    Wanted wanted{arguments.text("NAME"), arguments.text("SITE"), arguments.text("node"),
                  arguments.text("socket")};
    if (wanted.name.find('@') != std::string::npos) {
        CLARITY_CHECK(parse_artifact_name(wanted.name));
    }
    if (!wanted.site.empty()) CLARITY_CHECK(site_path(wanted.site));
    if (!wanted.node.empty() && !wanted.socket.empty()) {
        session.note("clarity: --node and --socket exclude each other");
        return ExitCode::usage;
    }
    CLARITY_TRY(const auto answer, look(session, wanted));
    session.emit(answer, [&] { return text_of(answer, session.terminal().out_width()); });
    if (json_or<Json>(answer, "artifacts", Json::array()).empty()) {
        session.note("{}: nobody at {} has or wants it; see clarity artifact list", wanted.name,
                     json_or<std::string>(answer, "site", "the site"));
    }
    return ExitCode::done;
}

}  // namespace

Command artifact_peers_command() {
    return {
        .path = "artifact peers",
        .summary = "which servers of a site have which share of an artifact, and who fetches it",
        .arguments = {positional("NAME", "NAME for every version there, or NAME@VERSION"),
                      site_argument(),
                      option("node", "ADDRESS", "ask this node: host, host:port or hostname"),
                      option("socket", "PATH", "ask the agent on this machine")},
        .run = run,
        .details =
            "Asks the coordinator; where it is away, the nodes of the rosters stored here, in\n"
            "turn. HAS is the share of verified pieces, as old as SEEN.\n"
            "  clarity artifact peers monitoring-stack@2.45.0 acme/dc-1\n"
            "Exit codes: 0 answered, 1 no such site, 5 nobody to ask.",
        .homeless = true};
}

}  // namespace clarity::cli
