#include "node/drivers/config_files.hpp"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <mutex>

#include "protocol/json.hpp"
#include "protocol/sha256.hpp"
#include "storage/files.hpp"

namespace clarity {
namespace {

constexpr std::size_t file_max_bytes = 16U << 20;

Result<void> give_to(const std::string& path, const std::string& user) {
    if (user.empty() || ::geteuid() != 0) return {};
    passwd entry{};
    passwd* found = nullptr;
    char buffer[4096];
    ::getpwnam_r(user.c_str(), &entry, buffer, sizeof buffer, &found);
    if (found == nullptr) {
        return fail(Errc::not_found, "user \"{}\" does not exist on this host: create it", user);
    }
    if (::chown(path.c_str(), found->pw_uid, found->pw_gid) != 0) {
        return tl::unexpected<Error>(file_error("change the owner of", path, errno));
    }
    return {};
}

/// Takes a file or link away. A folder is never ours, whatever the list on disk says.
Result<void> remove_file(const std::string& path) {
    if (::unlink(path.c_str()) == 0 || errno == ENOENT || errno == ENOTDIR) return {};
    const int reason = errno;
    struct stat info {};
    if (::lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) return {};
    return tl::unexpected<Error>(file_error("remove", path, reason));
}

/// Before anything is listed or written: a list with a folder in it would be a list of harm.
Result<void> refuse_folders(const std::vector<PlacedFile>& files) {
    for (const auto& each : files) {
        struct stat info {};
        if (::stat(each.path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) {
            return fail(Errc::invalid, "configuration file {}: a folder is in its place",
                        each.path);
        }
    }
    return {};
}

}  // namespace

Result<void> check_config(const ServiceConfig& config) {
    for (const auto& file : config.files) {
        const bool bad = file.path.empty() || file.path.front() != '/' ||
                         file.path.find('\n') != std::string::npos ||
                         (file.path + "/").find("/../") != std::string::npos ||
                         file.path.back() == '/';
        if (bad) {
            return fail(Errc::invalid, "configuration file \"{}\": give an absolute path to a file",
                        file.path);
        }
        if ((file.mode & ~0777U) != 0) {
            return fail(Errc::invalid,
                        "configuration file {}: mode {:o} has more than "
                        "permissions",
                        file.path, file.mode);
        }
    }
    for (const auto& [name, value] : config.env) {
        if (name.empty() || name.find_first_of("=\n \t") != std::string::npos ||
            name.find('\0') != std::string::npos || value.find('\0') != std::string::npos) {
            return fail(Errc::invalid,
                        "environment variable \"{}\" has a name or value that no "
                        "process can have",
                        name);
        }
    }
    return {};
}

std::vector<ConfigFiles::Known> ConfigFiles::load(const std::string& service) {
    const std::lock_guard lock(mutex_);
    if (const auto found = known_.find(service); found != known_.end()) return found->second;
    std::vector<Known> out;
    if (auto text = read_file(list_path(service), 4U << 20)) {
        if (auto json = parse_json(*text); json && json->is_object()) {
            for (const auto& [path, sum] : json->items()) {
                if (sum.is_string()) out.push_back({path, sum.get<std::string>()});
            }
        }
    }
    return known_[service] = out;
}

Result<void> ConfigFiles::place(const std::string& service, const std::vector<PlacedFile>& files,
                                const std::string& user) {
    CLARITY_CHECK(refuse_folders(files));
    const auto before = load(service);
    Json list = Json::object();
    std::vector<Known> now;
    // The list comes first and names old and new: a kill in between leaves no file unknown.
    for (const auto& each : before) list[each.path] = each.sha256;
    for (const auto& each : files) {
        now.push_back({each.path, sha256(each.content).hex()});
        list[each.path] = now.back().sha256;
    }
    CLARITY_CHECK(make_dirs(folder_, 0700));
    CLARITY_CHECK(write_file_atomic(list_path(service), to_text(list), 0600));
    for (const auto& each : files) {
        CLARITY_CHECK(make_dirs(parent_dir(each.path), 0755));
        CLARITY_CHECK(write_file_atomic(each.path, each.content, each.mode));
        CLARITY_CHECK(give_to(each.path, user));
    }
    Json kept = Json::object();
    for (const auto& each : now) kept[each.path] = each.sha256;
    for (const auto& each : before) {
        if (!kept.contains(each.path)) CLARITY_CHECK(remove_file(each.path));
    }
    CLARITY_CHECK(write_file_atomic(list_path(service), to_text(kept), 0600));
    const std::lock_guard lock(mutex_);
    known_[service] = now;
    return {};
}

std::vector<std::string> ConfigFiles::drift(const std::string& service) {
    auto files = load(service);
    std::vector<std::string> out;
    for (auto& each : files) {
        struct stat info {};
        if (::stat(each.path.c_str(), &info) != 0) {
            out.push_back("configuration file " + each.path + " is missing");
            each.checked_mtime_ns = -1;
            continue;
        }
        const auto mtime = info.st_mtim.tv_sec * 1'000'000'000LL + info.st_mtim.tv_nsec;
        const auto size = static_cast<std::uint64_t>(info.st_size);
        if (mtime != each.checked_mtime_ns || size != each.checked_size ||
            info.st_ino != each.checked_inode) {
            const auto content = read_file(each.path, file_max_bytes);
            each.changed = !content || sha256(*content).hex() != each.sha256;
            each.checked_mtime_ns = mtime;
            each.checked_size = size;
            each.checked_inode = info.st_ino;
        }
        if (each.changed) out.push_back("configuration file " + each.path + " changed on disk");
    }
    const std::lock_guard lock(mutex_);
    known_[service] = files;
    return out;
}

Result<void> ConfigFiles::remove(const std::string& service) {
    for (const auto& each : load(service)) CLARITY_CHECK(remove_file(each.path));
    CLARITY_CHECK(remove_all(list_path(service)));
    const std::lock_guard lock(mutex_);
    known_.erase(service);
    return {};
}

Result<void> place_for_container(ConfigFiles& files, const Service& service,
                                 const ServiceConfig& config,
                                 const std::function<std::string(std::size_t)>& path_of) {
    for (const auto& volume : service.volumes) {
        CLARITY_CHECK(make_dirs(volume.host_path, 0755));
    }
    std::vector<PlacedFile> placed;
    for (const auto& each : config.files) {
        placed.push_back({path_of(placed.size()), each.content, each.mode});
    }
    return files.place(service.name, placed, {});
}

}  // namespace clarity
