#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/error.hpp"

namespace clarity {

/// agent.yml, with defaults for a server that has one agent.
struct AgentConfig {
    std::string state_dir = "/var/lib/orchestrix/agent";
    std::string run_dir = "/run/orchestrix";  ///< query.sock; 0750
    std::string coordinator;                  ///< "https://host:8470", for enrolment
    std::string join_token;
    std::string join_token_file;
    std::string server;  ///< hostname or id in the inventory; empty = this host's name
    std::string mesh_listen = "tcp://0.0.0.0:8472";
    std::string mesh_advertise;  ///< as peers reach it, or INTERFACE:PORT; empty = mesh_listen
    std::string beacon_group;    ///< multicast "239.…:port" of the LAN beacon; empty = none
    std::string beacon_interface;
    std::string swarm_listen = "0.0.0.0:8473";
    std::string swarm_advertise;
    std::string http_listen = "127.0.0.1:8474";    ///< empty = none
    std::uint64_t wan_rate_limit_bytes_s = 0;      ///< 0 = none
    std::vector<std::string> wan_hours;            ///< "mon-fri 22:00-06:00"; empty = always
    std::string wan_time_zone = "UTC";             ///< of the hours, and of the budget's midnight
    std::uint64_t wan_budget_bytes_day = 0;        ///< 0 = none
    std::uint64_t cache_size_max_bytes = 0;        ///< 0 = no limit but the disk
    std::uint32_t cache_high_percent = 95;         ///< cleaned above this share of it …
    std::uint32_t cache_low_percent = 80;          ///< … down to this one
    std::uint32_t cache_replicas_min = 2;          ///< copies that the site is to keep
    std::uint32_t cache_scrub_percent_a_day = 10;  ///< read again by itself; 0 = never
    std::uint64_t cache_scrub_rate_bytes_s = 16ULL << 20;
    std::string log_level = "info";
    bool log_json = false;
    std::string docker_socket = "/var/run/docker.sock";
    std::string service_manager = "auto";  ///< auto | systemd | builtin

    [[nodiscard]] std::string query_socket() const { return run_dir + "/query.sock"; }
};

struct LoadedAgentConfig {
    AgentConfig config;
    std::vector<std::string> warnings;  ///< unknown keys, each with the nearest known name
};

/// Pure. The error has a line per problem, each with file and line.
[[nodiscard]] Result<LoadedAgentConfig> parse_agent_config(const std::string& path,
                                                           const std::string& text);
/// From the file; a missing file is an error that says how to get one.
[[nodiscard]] Result<LoadedAgentConfig> load_agent_config(const std::string& path);

/// Is the address one that peers can use: not empty, not 0.0.0.0, port not 0?
[[nodiscard]] Result<void> check_advertised(std::string_view setting, std::string_view endpoint);

}  // namespace clarity
