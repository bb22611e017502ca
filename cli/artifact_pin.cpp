#include <algorithm>

#include "cli/cache_orders.hpp"
#include "cli/commands.hpp"
#include "cli/view/table.hpp"

namespace clarity::cli {
namespace {

Result<ExitCode> change_pins(Session& session, const Arguments& arguments, bool pin) {
    CLARITY_TRY(const auto request, cache_request(session, arguments, pin ? "pin" : "unpin"));
    CLARITY_TRY(const auto answers, order_caches(session, request));
    session.emit(answers_json(request, answers), [&] {
        Table table({{"SERVER", Align::left, true}, {"HELD"}, {"PINNED BY", Align::left, true}});
        for (const auto& each : answers) {
            if (each.outcome != ServerAnswer::Outcome::done) continue;
            std::string pins;
            for (const auto& owner : json_or(each.result, "pins", std::vector<std::string>{})) {
                pins += (pins.empty() ? "" : ", ") + owner;
            }
            table.add({each.server, json_or(each.result, "held", false) ? "yes" : "no", pins});
        }
        return table.text(session.terminal().out_width());
    });
    const auto code = report_answers(session, answers);
    const bool absent = std::any_of(answers.begin(), answers.end(), [](const auto& each) {
        return each.outcome == ServerAnswer::Outcome::done && !json_or(each.result, "held", false);
    });
    if (pin && absent) {
        session.note("a pin keeps what is there; to get it there: clarity artifact prefetch {}",
                     arguments.text("NAME@VERSION"));
    }
    return code;
}

Result<ExitCode> run_pin(Session& session, const Arguments& arguments) {
    return change_pins(session, arguments, true);
}

Result<ExitCode> run_unpin(Session& session, const Arguments& arguments) {
    return change_pins(session, arguments, false);
}

}  // namespace

Command artifact_pin_command() {
    return {.path = "artifact pin",
            .summary = "keep an artifact in the caches of a site, whatever their limit",
            .arguments = {positional("NAME@VERSION", "as registered"), site_argument(),
                          servers_option()},
            .run = run_pin,
            .details =
                "What runs, and what a rollback needs, is pinned by itself. A pin outlives\n"
                "restarts and stays until unpin; it does not fetch anything.\n"
                "  clarity artifact pin monitoring-stack@2.45.0 acme/dc-1 --server edge-1\n"
                "Exit codes: 0 pinned, 1 a server could not, 5 out of reach, 7 no answer in time."};
}

Command artifact_unpin_command() {
    return {.path = "artifact unpin",
            .summary = "take an operator's pin and a prefetch back",
            .arguments = {positional("NAME@VERSION", "as registered"), site_argument(),
                          servers_option()},
            .run = run_unpin,
            .details =
                "The bytes stay until room is needed. What runs there stays pinned by itself.\n"
                "  clarity artifact unpin monitoring-stack@2.45.0\n"
                "Exit codes: as artifact pin."};
}

}  // namespace clarity::cli
