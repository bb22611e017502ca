#include "cli/inventory_files.hpp"

#include <filesystem>

#include "cli/config_store.hpp"
#include "cli/view/width.hpp"
#include "storage/files.hpp"

namespace clarity::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t file_max_bytes = 4U << 20;
constexpr std::size_t total_max_bytes = 32U << 20;
constexpr std::size_t files_max = 20'000;
constexpr const char* parts[] = {"artifacts", "clients", "profiles", "repositories", "templates"};

using Files = std::map<std::string, std::string>;

/// Adds one file, checked.
Result<void> take(const std::string& folder, const std::string& path, Files& files,
                  std::size_t& total_bytes) {
    CLARITY_TRY(auto text, read_local(folder + "/" + path, file_max_bytes));
    total_bytes += text.size();
    if (files.size() >= files_max || total_bytes > total_max_bytes) {
        return fail(Errc::invalid, "{}: more than {} files or {} MiB; is this an inventory?",
                    folder, files_max, total_max_bytes >> 20U);
    }
    if (!is_utf8(text)) {
        return fail(Errc::invalid, "{}/{}: not UTF-8 text; binary contents go into config_files as "
                    "base64", folder, path);
    }
    files.emplace(path, std::move(text));
    return {};
}

bool hidden(const fs::path& path) { return path.filename().string().starts_with("."); }

Result<void> take_folder(const std::string& folder, const std::string& part, Files& files,
                         std::size_t& total_bytes) {
    std::error_code error;
    fs::recursive_directory_iterator at(folder + "/" + part, error);
    for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
        if (hidden(at->path())) {
            at.disable_recursion_pending();
            continue;
        }
        std::error_code ignored;
        if (!at->is_regular_file(ignored)) continue;
        const auto path = fs::path(at->path()).lexically_relative(folder).generic_string();
        CLARITY_CHECK(take(folder, path, files, total_bytes));
    }
    if (error) return fail(Errc::io, "{}/{}: {}", folder, part, error.message());
    return {};
}

}  // namespace

Result<Files> read_inventory_files(const std::string& folder) {
    std::error_code error;
    if (!fs::is_directory(folder, error)) {
        return fail(Errc::not_found, "{}: no such folder; clarity init {} makes an inventory there",
                    folder, folder);
    }
    Files files;
    std::size_t total_bytes = 0;
    for (const auto* part : parts) {
        if (!fs::is_directory(folder + "/" + part, error)) continue;
        CLARITY_CHECK(take_folder(folder, part, files, total_bytes));
    }
    if (files.empty()) {
        return fail(Errc::not_found, "{}: no inventory here (no clients, profiles, artifacts or "
                    "repositories folder); clarity init DIR makes one", folder);
    }
    if (fs::exists(folder + "/config.yml", error)) {
        CLARITY_CHECK(take(folder, "config.yml", files, total_bytes));
    }
    return files;
}

Result<void> write_inventory_files(const std::string& folder, const Files& files) {
    std::error_code error;
    const bool there = fs::exists(folder, error);
    if (there && (!fs::is_directory(folder, error) || !fs::is_empty(folder, error))) {
        return fail(Errc::exists, "{}: there is something already; name a new or empty folder",
                    folder);
    }
    const auto write_all = [&]() -> Result<void> {
        for (const auto& [path, text] : files) {
            const auto whole = folder + "/" + path;
            CLARITY_CHECK(make_dirs(parent_dir(whole), 0755));
            CLARITY_CHECK(write_file_atomic(whole, text, 0644));
        }
        return {};
    };
    auto written = write_all();
    if (written) return written;
    if (!there) {
        fs::remove_all(folder, error);
    } else {
        for (const auto& entry : fs::directory_iterator(folder, error)) {
            std::error_code ignored;
            fs::remove_all(entry.path(), ignored);
        }
    }
    if (written.error().code == Errc::denied) written.error().code = Errc::io;
    return written;
}

ProblemCount count_problems(const std::vector<yaml::Problem>& problems) {
    ProblemCount count;
    for (const auto& each : problems) {
        ++(each.severity == yaml::Severity::error ? count.errors : count.warnings);
    }
    return count;
}

Json problems_json(const std::vector<yaml::Problem>& problems) {
    Json out = Json::array();
    for (const auto& each : problems) {
        const bool error = each.severity == yaml::Severity::error;
        out.push_back(Json{{"file", each.file},
                           {"line", each.line},
                           {"severity", error ? "error" : "warning"},
                           {"message", each.message}});
    }
    return out;
}

}  // namespace clarity::cli
