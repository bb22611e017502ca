#include "cli/commands.hpp"
#include "cli/inventory_files.hpp"
#include "cli/session.hpp"
#include "cli/view/units.hpp"
#include "protocol/inventory/inventory.hpp"

namespace clarity::cli {
namespace {

Result<ExitCode> run(Session& session, const Arguments& arguments) {
    const auto folder = arguments.text("DIR");
    const auto files = inventory::scaffold();
    CLARITY_CHECK(write_inventory_files(folder, files));
    Json json{{"folder", folder}, {"files", Json::array()}};
    for (const auto& [path, text] : files) json["files"].push_back(path);
    session.emit(json, [&] {
        std::string text;
        for (const auto& [path, ignored] : files) text += folder + "/" + path + "\n";
        return text;
    });
    session.note("wrote {}; next: edit them, then clarity validate {}",
                 count_of(files.size(), "file"), folder);
    return ExitCode::done;
}

}  // namespace

Command init_command() {
    return {.path = "init",
            .summary = "write an example inventory to start from",
            .arguments = {positional("DIR", "a new or empty folder")},
            .run = run};
}

}  // namespace clarity::cli
