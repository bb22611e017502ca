#include "cli/validate.hpp"

#include "cli/inventory_files.hpp"
#include "protocol/json.hpp"

namespace clarity::cli {
namespace {

Json to_json(const inventory::Loaded& loaded, std::size_t errors, std::size_t warnings) {
    Json problems = Json::array();
    for (const auto& each : loaded.problems) {
        problems.push_back(
            Json{{"file", each.file},
                 {"line", each.line},
                 {"severity", each.severity == inventory::Severity::error ? "error" : "warning"},
                 {"message", each.message}});
    }
    return Json{{"valid", errors == 0},
                {"clients", loaded.inventory.clients.size()},
                {"servers", loaded.inventory.servers.size()},
                {"errors", errors},
                {"warnings", warnings},
                {"problems", problems}};
}

}  // namespace

int run_validate(const std::string& dir, Format format, std::ostream& out, std::ostream& err) {
    const auto files = read_tree(dir);
    if (!files) {
        err << "clarity: " << files.error().message << '\n';
        return 1;
    }
    const auto loaded = inventory::load(*files);
    std::size_t errors = 0;
    for (const auto& each : loaded.problems) {
        if (each.severity == inventory::Severity::error) ++errors;
    }
    const auto warnings = loaded.problems.size() - errors;
    if (format != Format::table) {
        // JSON is YAML too: one form for both.
        out << to_text(to_json(loaded, errors, warnings), 2) << '\n';
        return errors == 0 ? 0 : 1;
    }
    for (const auto& each : loaded.problems) out << each.text() << '\n';
    err << fmt::format("{}: {} errors, {} warnings, {} clients, {} servers\n", dir, errors,
                       warnings, loaded.inventory.clients.size(), loaded.inventory.servers.size());
    return errors == 0 ? 0 : 1;
}

}  // namespace clarity::cli
