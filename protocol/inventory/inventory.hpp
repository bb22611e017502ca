#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/inventory/configuration.hpp"
#include "protocol/inventory/profile.hpp"
#include "protocol/manifest.hpp"
#include "protocol/yaml/yaml.hpp"

/// The specification's data model, read from a tree of YAML files. Pure: files come as texts.
namespace clarity::inventory {

using yaml::Problem;
using yaml::Severity;

/// Path in the tree ("clients/acme/servers.yml") → text.
using Files = std::map<std::string, std::string>;

/// clients/<code>/metadata.yml
struct Client {
    std::string id;
    std::string name;
    std::string code;
    std::string email;
    std::string phone;
    std::string created_at;
    bool active = true;
    Place place;
};

/// One of clients/<code>/datacenters.yml
struct Datacenter {
    std::string id;
    std::string client;  ///< code of its client
    std::string name;
    std::string code;
    std::string address;
    std::string city;
    std::string country;
    std::optional<double> latitude;
    std::optional<double> longitude;
    std::string type;  ///< primary | backup | edge
    std::string sl_no;
    std::string description;
    Place place;
};

/// One of clients/<code>/servers.yml
struct Server {
    std::string id;
    std::string client;      ///< code
    std::string datacenter;  ///< code
    std::string hostname;
    std::string management_ip;
    std::vector<std::string> public_ips;
    std::vector<std::string> private_ips;
    std::string kind;  ///< host | vm | container
    std::string brand;
    std::string model;
    std::int64_t cpu_cores = 0;
    std::int64_t ram_gb = 0;
    std::int64_t storage_gb = 0;
    std::string hypervisor;
    std::string host_server_id;
    std::string os_name;
    std::string os_version;
    Place place;

    [[nodiscard]] std::string site() const { return client + "/" + datacenter; }
};

/// One of artifacts/registry.yml
struct Artifact {
    std::string id;
    std::string name;
    ArtifactType type = ArtifactType::binary;
    std::string version;  ///< the current one; may be empty
    std::string description;
    std::vector<Dependency> dependencies;
    std::string repository;  ///< id in repositories/config.yml; empty = the manifest says
    std::string location;
    Place place;
};

/// One of artifacts/versions.yml
struct ArtifactVersion {
    std::string artifact;
    std::string version;
    std::string repository;
    std::string path;
    std::string checksum;
    std::vector<Dependency> dependencies;
    Place place;
};

/// One of repositories/config.yml. Texts may hold references.
struct Repository {
    std::string id;
    std::string type;
    Text base_url;
    std::map<std::string, Text> settings;  ///< "username", "password", "token", …
    Place place;
};

/// A valid tree, or as much of one as could be read.
struct Inventory {
    std::map<std::string, Client> clients;  ///< by code
    std::vector<Datacenter> datacenters;
    std::vector<Server> servers;
    std::map<std::string, Artifact> artifacts;  ///< by id
    std::vector<ArtifactVersion> versions;
    std::map<std::string, Repository> repositories;  ///< by id
    std::vector<Profile> profiles;
    Configuration configuration;

    [[nodiscard]] const Datacenter* datacenter(std::string_view client,
                                               std::string_view code) const;
    [[nodiscard]] const Server* server(std::string_view id) const;
    /// By id or, within the client, by hostname.
    [[nodiscard]] const Server* server(std::string_view client, std::string_view name) const;
    [[nodiscard]] std::vector<const Server*> servers_of(std::string_view client,
                                                        std::string_view datacenter) const;
    /// Registry's and version's dependencies of one artifact version.
    [[nodiscard]] std::vector<Dependency> dependencies_of(std::string_view artifact,
                                                          std::string_view version) const;
    /// What runs on `server` in `environment`; a client's own profile wins over a general one.
    [[nodiscard]] std::vector<Assignment> assignments(const Server& server,
                                                      Environment environment) const;
    /// Where references in texts for `server` are looked up.
    [[nodiscard]] Scope scope(const Server& server, Environment environment) const;
};

struct Loaded {
    Inventory inventory;
    std::vector<Problem> problems;  ///< by file and line; warnings too

    [[nodiscard]] bool ok() const;
};

/// Reads and checks a whole tree. Never fails and never throws: all that is wrong is in `problems`.
[[nodiscard]] Loaded load(const Files& files);

/// The tree `clarity init` writes: an example that validates, with comments that teach.
[[nodiscard]] Files scaffold();

}  // namespace clarity::inventory
