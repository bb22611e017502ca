#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "protocol/plan.hpp"

namespace clarity {

/// Where a configuration file of a service lies on this host.
struct PlacedFile {
    std::string path;
    Bytes content;
    std::uint32_t mode = 0640;
};

/// Writes services' configuration files and remembers them, to take stale ones away and to notice
/// changes. Thread-safe for different services.
class ConfigFiles {
  public:
    explicit ConfigFiles(std::string folder) : folder_(std::move(folder)) {}

    /// Writes each file atomically (owner `user` where not empty) and removes those that an
    /// earlier call wrote for the service and this one does not.
    Result<void> place(const std::string& service, const std::vector<PlacedFile>& files,
                       const std::string& user);
    /// "configuration file /etc/x changed on disk", "… is missing". Hashes only what stat() says
    /// has changed since the last call.
    std::vector<std::string> drift(const std::string& service);
    Result<void> remove(const std::string& service);

  private:
    struct Known {
        std::string path, sha256;
        std::int64_t checked_mtime_ns = -1;
        std::uint64_t checked_size = 0, checked_inode = 0;
        bool changed = false;
    };
    std::string folder_;
    std::mutex mutex_;
    std::map<std::string, std::vector<Known>> known_;

    [[nodiscard]] std::string list_path(const std::string& service) const {
        return folder_ + "/" + service + ".json";
    }
    std::vector<Known> load(const std::string& service);
};

/// What a container gets from its host: the volumes' folders are made, and configuration file i
/// lies at `path_of(i)`, to be mounted into it.
[[nodiscard]] Result<void> place_for_container(
    ConfigFiles& files, const Service& service, const ServiceConfig& config,
    const std::function<std::string(std::size_t)>& path_of);

/// Absolute, no "..", no line breaks; permission bits only.
[[nodiscard]] Result<void> check_config(const ServiceConfig& config);

}  // namespace clarity
