#pragma once

#include "protocol/inventory/inventory.hpp"

/// The loader's inner parts: each reads one kind of file, or checks one kind of rule.
namespace clarity::inventory {

struct Reading {
    const Files& files;
    yaml::Problems& problems;
    Inventory& out;
};

/// The tree of a file, or nothing (which is then a problem).
[[nodiscard]] std::optional<yaml::Value> parse_file(Reading& in, const std::string& path);

/// A text and its place.
[[nodiscard]] Text text_of(yaml::Map& map, std::string_view key,
                           yaml::Need need = yaml::Need::optional);
/// A text that must be a name (rules.hpp), or a problem.
std::string name_in(yaml::Map& map, std::string_view key, yaml::Need need = yaml::Need::required);
/// A required id; one that is no UUID, where the specification wants one, is a warning.
std::string uuid_in(yaml::Map& map);
std::vector<Dependency> dependencies_in(yaml::Map& map);

void read_client(Reading& in, const std::string& code);       ///< metadata.yml
void read_datacenters(Reading& in, const std::string& code);  ///< datacenters.yml
void read_servers(Reading& in, const std::string& code);      ///< servers.yml
void read_registry(Reading& in);
void read_versions(Reading& in);
void read_repositories(Reading& in);
/// config.yml and templates/ of every level, by path.
void read_layers(Reading& in);
void read_profile(Reading& in, const std::string& path, Environment environment,
                  const std::string& artifact);
[[nodiscard]] ServiceSettings read_settings(yaml::Map& map);

void check_artifacts(Reading& in);    ///< references and circles of dependencies
void check_profiles(Reading& in);     ///< what profiles name, targets, twice the same
void check_deployments(Reading& in);  ///< per server: references in texts, ports, paths

inline constexpr std::string_view builtin_keys[] = {"server.hostname",      "server.id",
                                                    "server.management_ip", "datacenter.code",
                                                    "client.code",          "environment"};

}  // namespace clarity::inventory
