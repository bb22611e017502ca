#include "cli/init.hpp"

#include <unistd.h>

#include <filesystem>

#include "protocol/inventory/inventory.hpp"
#include "storage/files.hpp"

namespace clarity::cli {
namespace {

namespace fs = std::filesystem;

Result<void> write_scaffold(const std::string& dir) {
    for (const auto& [path, text] : inventory::scaffold()) {
        const auto full = dir + "/" + path;
        CLARITY_CHECK(make_dirs(parent_dir(full)));
        CLARITY_CHECK(write_file_atomic(full, text));
    }
    return {};
}

Result<void> init(const std::string& given) {
    auto dir = fs::absolute(given).lexically_normal().string();
    while (dir.size() > 1 && dir.ends_with('/')) dir.pop_back();
    std::error_code error;
    if (fs::exists(fs::symlink_status(dir, error))) {
        if (!fs::is_directory(dir, error)) {
            return fail(Errc::exists, "{}: is there and is no folder: choose another name", given);
        }
        const bool empty = fs::is_empty(dir, error);
        if (error) return fail(Errc::denied, "{}: cannot be read: {}", given, error.message());
        if (!empty) {
            return fail(Errc::exists, "{}: is not empty: choose a new or empty folder", given);
        }
    }
    // rename(2) replaces an empty folder, so a kill leaves all of it or nothing in `dir`; the
    // current folder cannot be replaced under the shell's feet and is filled entry by entry.
    const auto beside = dir + fmt::format(".init-{}", ::getpid());
    CLARITY_CHECK(make_dirs(parent_dir(dir)));
    auto written = write_scaffold(beside);
    if (!written) {
        (void)remove_all(beside);
        auto& message = written.error().message;  // in terms of what was asked for
        if (message.starts_with(beside)) message.replace(0, beside.size(), dir);
        return written;
    }
    const auto here = fs::current_path(error).string();
    if (here != dir) {
        fs::rename(beside, dir, error);
    } else {
        for (const auto& entry : fs::directory_iterator(beside, error)) {
            if (!error) fs::rename(entry.path(), fs::path(dir) / entry.path().filename(), error);
        }
        (void)remove_all(beside);
    }
    if (error) {
        (void)remove_all(beside);
        return fail(Errc::io, "{}: cannot be written: {}", given, error.message());
    }
    return sync_dir(parent_dir(dir));
}

}  // namespace

int run_init(const std::string& dir, std::ostream& out, std::ostream& err) {
    if (const auto done = init(dir); !done) {
        err << "clarity: " << done.error().message << '\n';
        return 1;
    }
    out << dir << ": " << inventory::scaffold().size()
        << " files; edit them, then \"clarity validate " << dir << "\"\n";
    return 0;
}

}  // namespace clarity::cli
