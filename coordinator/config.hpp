#pragma once

#include <string>
#include <vector>

#include "protocol/error.hpp"

namespace clarity::coordinator {

/// coordinator.yml. Every key may be absent.
struct Config {
    std::string state_dir = "/var/lib/orchestrix/coordinator";
    std::string rest_listen = "0.0.0.0:8470";
    std::string rest_public_url;  ///< what agents and people use; empty = made of rest_listen
    std::string control_listen = "0.0.0.0:8471";
    std::string control_advertise;  ///< "tcp://host:port"; empty = host of public_url + the port
    std::string log_level = "info";
    bool log_json = false;
};

struct LoadedConfig {
    Config config;
    std::vector<std::string> warnings;  ///< unknown keys, each with the nearest known one
};

/// From the YAML text of `path` (for messages). All its problems are in one error, a line each.
[[nodiscard]] Result<LoadedConfig> parse_config(const std::string& path, const std::string& text);
/// Reads the file; a missing one is an error when `required`, else the defaults.
[[nodiscard]] Result<LoadedConfig> load_config(const std::string& path, bool required);

inline constexpr auto default_config_path = "/etc/orchestrix/coordinator.yml";

/// Host part of "https://host:port/…", "tcp://host:port" or "host:port"; brackets of v6 removed.
[[nodiscard]] std::string host_of(std::string_view url);
/// Port at the end, 0 where there is none.
[[nodiscard]] std::uint16_t port_of(std::string_view url);
/// "host:port" with brackets where the host is a v6 address.
[[nodiscard]] std::string host_port(const std::string& host, std::uint16_t port);
/// True for 0.0.0.0 and ::, which nobody can connect to from elsewhere.
[[nodiscard]] bool is_wildcard(const std::string& host);

/// What others connect to: the configured public URL, or one made of the address listened on.
[[nodiscard]] std::string public_url(const Config& config, std::uint16_t bound_port);
[[nodiscard]] std::string control_endpoint(const Config& config, const std::string& rest_url,
                                           std::uint16_t bound_port);
/// Names and addresses for the REST certificate.
[[nodiscard]] std::vector<std::string> certificate_hosts(const Config& config);

}  // namespace clarity::coordinator
