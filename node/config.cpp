#include "node/config.hpp"

#include <unistd.h>

#include <limits>

#include "node/lan_beacon.hpp"
#include "node/swarm/wan_hours.hpp"
#include "protocol/yaml/yaml.hpp"
#include "storage/files.hpp"

namespace clarity {
namespace {

constexpr std::size_t config_max_bytes = 1U << 20;
constexpr std::int64_t bytes_max = std::numeric_limits<std::int64_t>::max();
/// With less, seconds pass from one part of an answer to the next: the site would take it for a
/// stall, and each server in turn would begin.
constexpr std::uint64_t wan_rate_min_bytes_s = 1024;

std::string with_scheme(std::string endpoint) {
    if (endpoint.empty() || endpoint.starts_with("tcp://")) return endpoint;
    return "tcp://" + endpoint;
}

std::string without_scheme(std::string endpoint) {
    return endpoint.starts_with("tcp://") ? endpoint.substr(6) : endpoint;
}

void read_addresses(yaml::Map& map, AgentConfig& out) {
    using enum yaml::Need;
    map.child("mesh", [&](yaml::Map& mesh) {
        out.mesh_listen = with_scheme(mesh.text("listen", optional, out.mesh_listen));
        out.mesh_advertise = with_scheme(mesh.text("advertise"));
        mesh.child("beacon", [&](yaml::Map& beacon) {
            out.beacon_group = beacon.text("group");
            out.beacon_interface = beacon.text("interface");
            const auto checked = out.beacon_group.empty()
                                     ? Result<void>()
                                     : LanBeacon::check_group(out.beacon_group);
            if (!checked) {
                beacon.error(beacon.line_of("group"),
                             "mesh.beacon.group: " + checked.error().message);
            }
        });
    });
    map.child("swarm", [&](yaml::Map& swarm) {
        out.swarm_listen = without_scheme(swarm.text("listen", optional, out.swarm_listen));
        out.swarm_advertise = without_scheme(swarm.text("advertise"));
    });
    map.child("http", [&](yaml::Map& http) {
        out.http_listen = http.text("listen", optional, out.http_listen);
    });
}

void read_cache(yaml::Map& cache, AgentConfig& out) {
    const auto number = [&](const char* key, std::uint32_t low, std::uint32_t high,
                            std::uint32_t& value) {
        value = static_cast<std::uint32_t>(cache.integer(key, low, high, value));
    };
    out.cache_size_max_bytes =
        static_cast<std::uint64_t>(cache.integer("size_max_bytes", 0, bytes_max));
    number("high_percent", 1, 100, out.cache_high_percent);
    number("low_percent", 1, 100, out.cache_low_percent);
    if (out.cache_low_percent > out.cache_high_percent) {
        cache.error(cache.line_of("low_percent"),
                    fmt::format("cache.low_percent is {}, above high_percent, {}",
                                out.cache_low_percent, out.cache_high_percent));
    }
    number("replicas_min", 1, 16, out.cache_replicas_min);
    number("scrub_percent_a_day", 0, 1000, out.cache_scrub_percent_a_day);
    out.cache_scrub_rate_bytes_s = static_cast<std::uint64_t>(
        cache.integer("scrub_rate_bytes_s", 1024, bytes_max,
                      static_cast<std::int64_t>(out.cache_scrub_rate_bytes_s)));
}

void read_config(yaml::Map& map, AgentConfig& out) {
    using enum yaml::Need;
    out.state_dir = map.text("state_dir", optional, out.state_dir);
    out.run_dir = map.text("run_dir", optional, out.run_dir);
    out.coordinator = map.text("coordinator");
    if (!out.coordinator.empty() && !out.coordinator.starts_with("https://")) {
        map.error(map.line_of("coordinator"),
                  "coordinator must start with https://, as in https://host:8470");
    }
    out.join_token = map.text("join_token");
    out.join_token_file = map.text("join_token_file");
    out.server = map.text("server");
    const auto hostname = map.text("hostname");
    if (out.server.empty()) out.server = hostname;
    read_addresses(map, out);
    map.child("wan", [&](yaml::Map& wan) {
        out.wan_rate_limit_bytes_s =
            static_cast<std::uint64_t>(wan.integer("rate_limit_bytes_s", 0, bytes_max));
        if (out.wan_rate_limit_bytes_s > 0 && out.wan_rate_limit_bytes_s < wan_rate_min_bytes_s) {
            wan.error(wan.line_of("rate_limit_bytes_s"),
                      fmt::format("wan.rate_limit_bytes_s is {}; give at least {}, or 0 for no "
                                  "limit (to stop pulls: clarity wan pause)",
                                  out.wan_rate_limit_bytes_s, wan_rate_min_bytes_s));
        }
        out.wan_hours = wan.texts("hours");
        if (const auto hours = WanHours::parse(out.wan_hours); !hours) {
            wan.error(wan.line_of("hours"), "wan.hours: " + hours.error().message);
        }
        out.wan_time_zone = wan.text("time_zone", optional, out.wan_time_zone);
        out.wan_budget_bytes_day =
            static_cast<std::uint64_t>(wan.integer("budget_bytes_day", 0, bytes_max));
    });
    map.child("cache", [&](yaml::Map& cache) { read_cache(cache, out); });
    map.child("log", [&](yaml::Map& log) {
        out.log_level = log.choice("level", {"debug", "info", "warning", "error"}, out.log_level);
        out.log_json = log.boolean("json", out.log_json);
    });
    out.docker_socket = map.text("docker_socket", optional, out.docker_socket);
    out.service_manager =
        map.choice("service_manager", {"auto", "systemd", "builtin"}, out.service_manager);
}

std::string own_hostname() {
    char name[256] = {};
    return gethostname(name, sizeof name - 1) == 0 ? name : "";
}

}  // namespace

Result<LoadedAgentConfig> parse_agent_config(const std::string& path, const std::string& text) {
    LoadedAgentConfig out;
    CLARITY_TRY(out.warnings, yaml::read_settings(path, text, "agent.yml", [&](yaml::Map& map) {
                    read_config(map, out.config);
                }));
    auto& config = out.config;
    if (config.mesh_advertise.empty()) config.mesh_advertise = config.mesh_listen;
    if (config.swarm_advertise.empty()) config.swarm_advertise = config.swarm_listen;
    if (config.server.empty()) config.server = own_hostname();
    return out;
}

Result<LoadedAgentConfig> load_agent_config(const std::string& path) {
    auto text = read_file(path, config_max_bytes);
    if (!text && text.error().code == Errc::not_found) {
        return fail(Errc::not_found,
                    "{}: no configuration there; write one (docs/operations.md) or give --config",
                    path);
    }
    if (!text) return tl::unexpected<Error>(std::move(text).error());
    return parse_agent_config(path, *text);
}

Result<void> check_advertised(std::string_view setting, std::string_view endpoint) {
    const auto host_at = endpoint.starts_with("tcp://") ? endpoint.substr(6) : endpoint;
    const auto colon = host_at.rfind(':');
    const bool any = host_at.starts_with("0.0.0.0:") || host_at.starts_with("[::]:") ||
                     host_at.starts_with("*:");
    if (any || colon == std::string_view::npos || colon == 0 || host_at.substr(colon) == ":0") {
        return fail(Errc::invalid,
                    "{}: \"{}\" is no address that peers can reach; set it to this server's "
                    "address and port",
                    setting, endpoint);
    }
    return {};
}

}  // namespace clarity
