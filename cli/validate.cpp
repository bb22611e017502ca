#include "cli/commands.hpp"
#include "cli/inventory_files.hpp"
#include "cli/session.hpp"
#include "cli/view/units.hpp"
#include "cli/view/width.hpp"
#include "protocol/inventory/inventory.hpp"

namespace clarity::cli {
namespace {

Result<ExitCode> run(Session& session, const Arguments& arguments) {
    const auto folder = arguments.text_or("DIR", ".");
    CLARITY_TRY(const auto files, read_inventory_files(folder));
    const auto loaded = inventory::load(files);
    const auto count = count_problems(loaded.problems);
    const Json json{{"valid", count.errors == 0},
                    {"errors", count.errors},
                    {"warnings", count.warnings},
                    {"problems", problems_json(loaded.problems)}};
    session.emit(json, [&] {
        std::string text;
        for (const auto& each : loaded.problems) text += printable(each.text()) + "\n";
        return text;
    });
    const auto& known = loaded.inventory;
    session.note("{}: {}, {}; {}, {}, {}", folder, count_of(count.errors, "error"),
                 count_of(count.warnings, "warning"), count_of(known.clients.size(), "client"),
                 count_of(known.servers.size(), "server"),
                 count_of(known.profiles.size(), "profile"));
    return count.errors == 0 ? ExitCode::done : ExitCode::error;
}

}  // namespace

Command validate_command() {
    return {.path = "validate",
            .summary = "check an inventory, every file and reference of it",
            .arguments = {positional("DIR", "its folder; default: this one", false)},
            .run = run,
            .details = "One line per problem on standard output: file:line: what to do. Ends with\n"
                       "1 when there are errors, 0 when there are none or only warnings."};
}

}  // namespace clarity::cli
