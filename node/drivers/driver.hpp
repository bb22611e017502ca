#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/plan.hpp"

namespace clarity {

/// One concrete thing to run: an artifact version with one configuration. Holds opened secrets,
/// so it is never logged and never stored; the engine makes it anew from the sealed form.
struct Instance {
    Service service;            ///< `sealed_config` left out
    ServiceConfig config;       ///< opened
    Digest sha256;              ///< of the artifact
    std::string artifact_path;  ///< complete, verified file in the cache; empty once prepared
    std::string key;            ///< names version, configuration and runtime settings; changes
                                ///< exactly when the service must be replaced
};

/// What of a service is there right now, as the host tells it.
enum class RunState {
    absent,   ///< nothing set up under this name
    stopped,  ///< set up, not running; `exit_code` tells how it ended
    waiting,  ///< its manager is about to start it again (backoff)
    running,
    failed,  ///< its manager gave up
};

[[nodiscard]] std::string_view name_of(RunState state);

struct Observation {
    RunState state = RunState::absent;
    std::string key;             ///< Instance::key of what is set up; empty when unknown
    std::uint32_t restarts = 0;  ///< by its manager since it was started
    std::int64_t started_unix_ms = 0;
    int exit_code = 0;               ///< of the last exit; 128 + signal when killed by one
    std::string detail;              ///< one line for people
    std::vector<std::string> drift;  ///< what differs from how it was set up
};

/// Runs services of some artifact types on this host.
///
/// Every call blocks and is made from a worker thread; calls for different services may come at
/// once, calls for one service never do. Every effect is idempotent: a call repeated after a kill
/// at any point leads to the same state. A service is named by Service::name; at most one
/// instance of it is set up at a time. What runs outlives the agent.
class Driver {
  public:
    virtual ~Driver() = default;

    /// "lxc", "docker", "binary".
    [[nodiscard]] virtual std::string_view name() const = 0;
    /// Can this host run it? Errc::unavailable with one clear line where not.
    [[nodiscard]] virtual Result<void> probe() = 0;
    /// Checks what can be checked without effects: names, paths, limits.
    [[nodiscard]] virtual Result<void> validate(const Instance& instance) = 0;
    /// Unpacks or loads the artifact beside whatever runs. Nothing to do when done before.
    [[nodiscard]] virtual Result<void> prepare(const Instance& instance) = 0;
    /// Writes the configuration files, atomically, with their modes.
    [[nodiscard]] virtual Result<void> configure(const Instance& instance) = 0;
    /// Makes the container or unit; replaces one of the same name, which must not run.
    [[nodiscard]] virtual Result<void> set_up(const Instance& instance) = 0;
    /// Starts it; fine when it runs already.
    [[nodiscard]] virtual Result<void> start(const Instance& instance) = 0;
    /// Asks it to end, kills it after `grace`; fine when it does not run or is absent.
    [[nodiscard]] virtual Result<void> stop(const std::string& service,
                                            std::chrono::milliseconds grace) = 0;
    /// Stops it and takes it down: container, unit, its configuration files that are ours alone.
    [[nodiscard]] virtual Result<void> remove(const std::string& service) = 0;
    /// Frees what prepare() made for one version; `version` must not be set up.
    [[nodiscard]] virtual Result<void> discard(const std::string& service,
                                               const std::string& version) = 0;
    [[nodiscard]] virtual Result<Observation> observe(const std::string& service) = 0;
    /// Last lines of what it wrote.
    [[nodiscard]] virtual Result<std::string> logs(const std::string& service,
                                                   std::uint32_t lines) = 0;
    /// Lines for an operator: what this host lacks and what is left out because of it.
    [[nodiscard]] virtual std::vector<std::string> notices() const { return {}; }
};

/// Places and choices of this host.
struct DriverSettings {
    std::string node_id;        ///< server id; keeps agents on one machine apart
    std::string state_dir;      ///< our own folder: container definitions, specs, logs
    std::string service_root;   ///< unpacked artifacts: <service_root>/<name>/<version>
    std::string agent_program;  ///< runs `supervise SPEC`; empty = /proc/self/exe
    std::string docker_socket = "/var/run/docker.sock";
    std::string service_manager = "auto";  ///< auto | systemd | builtin
    std::uint64_t unpacked_max_bytes = 64ULL << 30;
    std::uint64_t unpacked_max_files = 2'000'000;
};

/// A driver per artifact type; binary, script, jar and war share one. Probing is lazy: nothing
/// touches LXC or Docker before a service needs it.
using DriverSet = std::map<ArtifactType, std::shared_ptr<Driver>>;

[[nodiscard]] Result<DriverSet> make_drivers(const DriverSettings& settings);

}  // namespace clarity
