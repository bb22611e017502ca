#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "protocol/manifest.hpp"

namespace clarity {

enum class RestartPolicy { always, on_failure, unless_stopped, never };
enum class Environment { dev, staging, prod, mock };

struct PortMapping {
    std::uint16_t internal = 0;
    std::uint16_t external = 0;
};

struct VolumeMount {
    std::string host_path;
    std::string container_path;
    bool read_only = false;
};

/// How a start is judged: running for `stable_s` without a restart, and the checks passing, within
/// `timeout_s`.
struct StartWatch {
    std::uint32_t stable_s = 3;
    std::uint32_t timeout_s = 60;
    std::uint16_t tcp_port = 0;  ///< 0 = no check; else must accept a connection on `address`
    std::string address;         ///< empty = 127.0.0.1
    std::string http_path;       ///< empty = no check; else must answer 2xx or 3xx on tcp_port
};

/// A file as deployed; content may hold resolved secrets, so it only travels sealed.
struct ConfigFile {
    std::string path;  ///< absolute on the host, or inside the container for containers
    Bytes content;
    std::uint32_t mode = 0640;
};

/// What is private to one service on one server. Travels as Service::sealed_config.
struct ServiceConfig {
    std::map<std::string, std::string> env;
    std::vector<ConfigFile> files;

    [[nodiscard]] Bytes encode() const;
    [[nodiscard]] static Result<ServiceConfig> decode(std::string_view bytes);
};

/// One artifact version wanted on one server.
struct Service {
    std::string name;  ///< artifact id; unique per server
    std::string version;
    ArtifactType type = ArtifactType::binary;
    Digest manifest;                   ///< digest of the manifest's envelope
    std::int32_t priority = 0;         ///< wave: lower first, across the site
    std::vector<std::string> after;    ///< service names on the same server that must run first
    std::vector<std::string> command;  ///< argv for binary and script; empty = the driver's default
    std::vector<PortMapping> ports;
    std::vector<VolumeMount> volumes;
    std::string network;  ///< "host" or "bridge"; empty = the driver's default
    std::string user;     ///< empty = root
    bool autostart = true;
    RestartPolicy restart = RestartPolicy::always;
    std::uint64_t memory_max_bytes = 0;  ///< 0 = no limit
    std::uint32_t cpu_percent_max = 0;   ///< of one core; 0 = no limit
    StartWatch watch;
    Bytes sealed_config;        ///< ServiceConfig, crypto_box_seal to the server's key
    Digest config_fingerprint;  ///< changes exactly when the configuration does; keyed, so that it
                                ///< tells nothing; a change redeploys the service
};

struct ServerPlan {
    std::string server_id;
    std::vector<Service> services;
};

struct RolloutPolicy {
    std::uint32_t batch_size = 0;  ///< servers at a time within a wave; 0 = all
    std::uint32_t canary = 0;      ///< servers that go first, alone
    std::uint32_t max_failed = 0;
    std::uint32_t max_unreachable = 0;
    bool auto_rollback = true;
};

/// The whole wanted state of one site in one environment.
struct Plan {
    std::string id;  ///< deployment id (UUID), the coordinator's
    std::string client;
    std::string datacenter;
    Environment environment = Environment::prod;
    std::uint64_t seq = 0;  ///< strictly rising per datacenter
    std::optional<Digest> previous;
    std::int64_t created_unix_s = 0;
    std::int64_t not_before_unix_s = 0;
    std::int64_t accept_until_unix_s = 0;  ///< gates first acceptance only; 0 = for ever
    bool allow_downgrade = false;
    std::string correlation_id;
    std::vector<Digest> manifests;  ///< every manifest the services name
    std::vector<ServerPlan> servers;
    RolloutPolicy rollout;
    /// How to reach the repositories the manifests name; sealed per server because of credentials.
    std::map<std::string, Bytes> sealed_repositories;  ///< server id → sealed RepositorySet

    [[nodiscard]] std::string site() const { return client + "/" + datacenter; }
    [[nodiscard]] const ServerPlan* find(std::string_view server_id) const;
    [[nodiscard]] Bytes encode() const;
    [[nodiscard]] static Result<Plan> decode(std::string_view payload);
};

/// How to reach one repository: the specification's repository_config, resolved.
struct RepositoryAccess {
    std::string id;
    std::string type;  ///< http | ftp | sftp | s3 | artifactory | google-drive
    std::string base_url;
    std::map<std::string, std::string> settings;  ///< by type: "username", "password", "token", …
};

struct RepositorySet {
    std::vector<RepositoryAccess> repositories;
    [[nodiscard]] const RepositoryAccess* find(std::string_view id) const;
    [[nodiscard]] Bytes encode() const;
    [[nodiscard]] static Result<RepositorySet> decode(std::string_view bytes);
};

[[nodiscard]] std::string_view name_of(RestartPolicy policy);
[[nodiscard]] std::optional<RestartPolicy> restart_policy_from(std::string_view name);
[[nodiscard]] std::string_view name_of(Environment environment);
[[nodiscard]] std::optional<Environment> environment_from(std::string_view name);

/// What a node already holds when a plan arrives.
struct PlanContext {
    std::string site;
    std::int64_t now_unix_s = 0;
    std::uint64_t seq_seen = 0;   ///< highest stored
    Digest digest_seen;           ///< of that plan's envelope
    std::uint32_t approvals = 0;  ///< approver signatures wanted besides the coordinator's
};

/// Signature, site, validity window and `seq` in one place. Errors: bad_signature (keys, site),
/// conflict with message "equivocation…" (equal seq, other bytes) or "old…" (lower seq),
/// exists (the very plan we hold), timeout (not yet or no longer accepted), invalid.
[[nodiscard]] Result<Plan> verify_plan(const Root& root, const PlanContext& context,
                                       const Envelope& envelope);

}  // namespace clarity
