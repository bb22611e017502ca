#include <sstream>

#include "cli/commands.hpp"
#include "cli/session.hpp"
#include "cli/validate.hpp"
#include "cli/view/width.hpp"
#include "cli/view/yaml_text.hpp"

namespace clarity::cli {
namespace {

/// Each line made safe for a terminal: an inventory may hold anything.
std::string safe_lines(const std::string& text) {
    std::string out;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) out += printable(line) + "\n";
    return out;
}

Result<ExitCode> run(Session& session, const Arguments& arguments) {
    const auto format = session.options().format;
    std::ostringstream out;
    std::ostringstream err;
    const int code = run_validate(arguments.text_or("DIR", "."),
                                  format == Format::table ? Format::table : Format::json, out, err);
    auto text = out.str();
    if (format == Format::table) text = safe_lines(text);
    if (format == Format::yaml && !text.empty()) {
        CLARITY_TRY(const auto json, parse_json(text));
        text = yaml_text(json);
    }
    session.terminal().out(text);
    std::istringstream lines(err.str());
    for (std::string line; std::getline(lines, line);) session.note("{}", line);
    return code == 0 ? ExitCode::done : ExitCode::error;
}

}  // namespace

Command validate_command() {
    return {.path = "validate",
            .summary = "check an inventory, every file and reference of it",
            .arguments = {positional("DIR", "its folder; default: this one", false)},
            .run = run,
            .details =
                "One line per problem on standard output: file:line: what to do. Ends with\n"
                "1 when there are errors, 0 when there are none or only warnings.",
            .homeless = true};
}

}  // namespace clarity::cli
