#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "protocol/inventory/configuration.hpp"

namespace clarity::inventory {

struct FileText {
    Text path;
    Text content;
    bool binary = false;  ///< decoded from base64 and no text: taken as it is
    std::uint32_t mode = 0640;
};

struct Port {
    std::uint16_t internal = 0;
    std::uint16_t external = 0;
    Place place;
};

struct Volume {
    Text host_path;
    Text container_path;
    bool read_only = false;
};

/// `configuration:` of a profile. Texts may hold references.
struct ServiceSettings {
    std::map<std::string, Text> env;
    std::vector<FileText> files;
    std::vector<Port> ports;
    std::vector<Volume> volumes;
    std::vector<Text> command;
    std::string network;  ///< host | bridge; empty = the driver's default
    Text user;
    bool autostart = true;
    RestartPolicy restart = RestartPolicy::always;
    std::uint64_t memory_max_bytes = 0;
    std::uint32_t cpu_percent_max = 0;
    StartWatch watch;
    Text watch_address;
    Text watch_http_path;
};

/// One of `target_servers:`; one of server, hostname and datacenter is set.
struct Target {
    std::string server_id;
    std::string hostname;
    std::string datacenter;
    std::int32_t priority = 0;
    Place place;
};

/// `rollout:` as written: absent fields leave the choice to other profiles, then to the defaults.
struct RolloutWish {
    std::optional<std::uint32_t> batch_size;
    std::optional<std::uint32_t> canary;
    std::optional<std::uint32_t> max_failed;
    std::optional<std::uint32_t> max_unreachable;
    std::optional<bool> auto_rollback;
};

/// One artifact version of one profile file: what runs, how, and where.
struct Profile {
    std::string id;
    std::string client;  ///< code; empty = every client
    Environment environment = Environment::prod;
    std::string artifact;
    std::string version;
    ServiceSettings settings;
    bool all_servers = true;  ///< no target_servers: every server of the client
    std::vector<Target> targets;
    RolloutWish rollout;
    Place place;
    int version_line = 0;
};

/// One profile as it applies to one server.
struct Assignment {
    const Profile* profile = nullptr;
    std::int32_t priority = 0;
};

}  // namespace clarity::inventory
