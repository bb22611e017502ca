#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "node/drivers/driver.hpp"

namespace clarity {

/// A process to keep running: what a unit file or a supervisor's specification says.
struct ProcessSpec {
    std::string service;
    std::string key;                ///< Instance::key, given back by observe()
    std::vector<std::string> argv;  ///< argv[0] is an absolute path
    std::map<std::string, std::string> env;
    std::string directory;           ///< working directory; empty = "/"
    std::string user;                ///< empty = the agent's own
    std::vector<std::string> after;  ///< services that start before it when the host starts
    RestartPolicy restart = RestartPolicy::always;
    bool autostart = true;
    std::uint64_t memory_max_bytes = 0;
    std::uint32_t cpu_percent_max = 0;
    std::uint64_t open_files_max = 65536;
    std::uint32_t backoff_min_ms = 500;
    std::uint32_t backoff_max_ms = 60'000;
    std::uint64_t log_max_bytes = 8U << 20;  ///< per file; one rotated file is kept
    int stop_signal = 15;                    ///< asks it to end; SIGKILL follows
    std::string lxc_path;  ///< set: run the LXC container `lxc_name` of this lxcpath;
    std::string lxc_name;  ///< argv is then its init, empty = as its configuration says
};

/// Keeps processes of services running: systemd, or our own shim where there is none. Blocking,
/// thread-safe for different services, idempotent; what runs outlives the agent.
class ServiceManager {
  public:
    virtual ~ServiceManager() = default;
    [[nodiscard]] virtual std::string_view name() const = 0;
    /// Writes the unit or specification; the service must not run.
    [[nodiscard]] virtual Result<void> define(const ProcessSpec& spec) = 0;
    [[nodiscard]] virtual Result<void> start(const std::string& service) = 0;
    [[nodiscard]] virtual Result<void> stop(const std::string& service,
                                            std::chrono::milliseconds grace) = 0;
    /// Stops it and takes its definition away.
    [[nodiscard]] virtual Result<void> remove(const std::string& service) = 0;
    [[nodiscard]] virtual Result<Observation> observe(const std::string& service) = 0;
    [[nodiscard]] virtual Result<std::string> logs(const std::string& service,
                                                   std::uint32_t lines) = 0;
};

/// The built-in manager: one shim process per service (node/drivers/supervisor.hpp).
[[nodiscard]] std::shared_ptr<ServiceManager> make_builtin_manager(const DriverSettings& settings);
/// Is systemd process 1 of this host, and can it be reached through D-Bus?
[[nodiscard]] bool systemd_here();
/// systemd through its D-Bus interface; Errc::unavailable when it is not here.
[[nodiscard]] Result<std::shared_ptr<ServiceManager>> make_systemd_manager(
    const DriverSettings& settings);
/// By settings.service_manager: auto takes systemd where it is. What another manager of this host
/// still runs of a service is ended when the service is defined anew, stopped or removed.
[[nodiscard]] Result<std::shared_ptr<ServiceManager>> make_service_manager(
    const DriverSettings& settings);

}  // namespace clarity
