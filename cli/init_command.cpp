#include <sstream>

#include "cli/commands.hpp"
#include "cli/init.hpp"
#include "cli/session.hpp"

namespace clarity::cli {
namespace {

Result<ExitCode> run(Session& session, const Arguments& arguments) {
    const auto folder = arguments.text("DIR");
    std::ostringstream out;
    std::ostringstream err;
    const int code = run_init(folder, out, err);
    std::istringstream lines(err.str());
    for (std::string line; std::getline(lines, line);) session.note("{}", line);
    if (code != 0) return ExitCode::error;
    session.emit(Json{{"folder", folder}}, [&] { return out.str(); });
    return ExitCode::done;
}

}  // namespace

Command init_command() {
    return {.path = "init",
            .summary = "write an example inventory to start from",
            .arguments = {positional("DIR", "a new or empty folder")},
            .run = run,
            .homeless = true};
}

}  // namespace clarity::cli
