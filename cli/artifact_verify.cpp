#include "cli/cache_orders.hpp"
#include "cli/commands.hpp"
#include "cli/view/table.hpp"
#include "cli/view/units.hpp"

namespace clarity::cli {
namespace {

constexpr std::int64_t default_timeout_s = 3600;

std::string damage_text(const Json& result) {
    std::string out;
    for (const auto& each : json_or<Json>(result, "damaged", Json::array())) {
        out += (out.empty() ? "" : ", ") + json_or<std::string>(each, "artifact", "") + "@" +
               json_or<std::string>(each, "version", "");
        if (json_or(each, "dropped", false)) out += " (dropped)";
        else {
            out += fmt::format(" ({} of {} pieces)", json_or<std::uint64_t>(each, "bad_pieces", 0),
                               json_or<std::uint64_t>(each, "pieces", 0));
        }
    }
    return out;
}

Result<ExitCode> run(Session& session, const Arguments& arguments) {
    CLARITY_TRY(const auto request, cache_request(session, arguments, "verify", default_timeout_s));
    CLARITY_TRY(const auto answers, order_caches(session, request));
    std::size_t damaged = 0;
    for (const auto& each : answers) {
        damaged += json_or<Json>(each.result, "damaged", Json::array()).size();
        for (const auto& error : json_or(each.result, "errors", std::vector<std::string>{})) {
            session.note("{}: {}", each.server, error);
        }
    }
    session.emit(answers_json(request, answers), [&] {
        Table table({{"SERVER", Align::left, true},
                     {"VERIFIED", Align::right},
                     {"BYTES", Align::right},
                     {"DAMAGED", Align::left, true}});
        for (const auto& each : answers) {
            if (each.outcome != ServerAnswer::Outcome::done) continue;
            table.add({each.server,
                       std::to_string(json_or<std::uint64_t>(each.result, "verified", 0)),
                       format_bytes(json_or<std::uint64_t>(each.result, "verified_bytes", 0)),
                       damage_text(each.result)});
        }
        return table.text(session.terminal().out_width());
    });
    const auto code = report_answers(session, answers);
    if (damaged == 0) return code;
    session.note(
        "{} damaged: put aside and fetched again from the others at the site; look after "
        "the disk",
        count_of(damaged, "artifact"));
    return ExitCode::error;
}

}  // namespace

Command artifact_verify_command() {
    return {
        .path = "artifact verify",
        .summary = "read and hash the caches of a site now; repair what is damaged",
        .arguments = {option("artifact", "NAME@VERSION", "this one only; default: all of them"),
                      site_argument(), servers_option()},
        .run = run,
        .details =
            "Agents read a share of their cache a day by themselves. What is damaged is put\n"
            "aside, never served, and its bad pieces come again from other servers of the site;\n"
            "status says so until it is whole.\n"
            "  clarity artifact verify acme/dc-1 --server edge-1\n"
            "Exit codes: 0 all is well, 1 something was damaged or could not be read, 5 a server\n"
            "is out of reach, 7 not done within --timeout (default 1h); it goes on."};
}

}  // namespace clarity::cli
