#include "cli/inventory_files.hpp"

#include <filesystem>

#include "storage/files.hpp"

namespace clarity::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t file_max_bytes = 4U << 20;
constexpr std::size_t total_max_bytes = 32U << 20;
constexpr std::size_t files_max = 20'000;
constexpr int depth_max = 8;

/// Whether something at the top of `dir` belongs to an inventory: it may share its folder.
bool belongs(const std::string& name, bool folder) {
    if (!folder) return name.ends_with(".yml") || name.ends_with(".yaml");
    return name == "artifacts" || name == "clients" || name == "profiles" ||
           name == "repositories" || name == "templates";
}

}  // namespace

Result<inventory::Files> read_tree(const std::string& dir) {
    std::error_code error;
    if (!fs::is_directory(dir, error)) {
        return fail(Errc::not_found, "{}: is no folder; \"clarity init {}\" makes an inventory",
                    dir, dir);
    }
    inventory::Files out;
    std::size_t total = 0;
    fs::recursive_directory_iterator at(dir, error);
    for (const fs::recursive_directory_iterator end; !error && at != end; at.increment(error)) {
        const auto name = at->path().filename().string();
        std::error_code ignored;
        const bool folder = at->is_directory(ignored);
        if (name.starts_with('.') || (at.depth() == 0 && !belongs(name, folder))) {
            if (folder) at.disable_recursion_pending();
            continue;
        }
        if (folder) {
            if (at.depth() >= depth_max) at.disable_recursion_pending();
            continue;
        }
        if (!at->is_regular_file(ignored)) continue;
        CLARITY_TRY(auto text, read_file(at->path().string(), file_max_bytes));
        total += text.size();
        if (total > total_max_bytes || out.size() >= files_max) {
            return fail(Errc::invalid, "{}: is no inventory: more than {} MiB or {} files", dir,
                        total_max_bytes >> 20, files_max);
        }
        out[at->path().lexically_relative(dir).generic_string()] = std::move(text);
    }
    if (error) return fail(Errc::io, "{}: cannot be read: {}", dir, error.message());
    return out;
}

}  // namespace clarity::cli
