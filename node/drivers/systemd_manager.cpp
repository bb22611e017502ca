#include <sdbus-c++/sdbus-c++.h>
#include <unistd.h>

#include <thread>

#include "node/drivers/process.hpp"
#include "node/drivers/service_manager.hpp"
#include "storage/files.hpp"

namespace clarity {
namespace {

using namespace std::chrono_literals;

constexpr const char* bus_name = "org.freedesktop.systemd1";
constexpr const char* manager_path = "/org/freedesktop/systemd1";
constexpr const char* manager_interface = "org.freedesktop.systemd1.Manager";
constexpr const char* unit_interface = "org.freedesktop.systemd1.Unit";
constexpr const char* service_interface = "org.freedesktop.systemd1.Service";
constexpr const char* key_line = "X-OrchestrixKey=";

/// One word of a unit file, quoted: nothing in it is expanded.
std::string quoted(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        if (c == '%') out += '%';
        if (c == '$') out += '$';
        if (c == '\n') out += "\\n";
        else out += c;
    }
    return out + "\"";
}

std::string env_quoted(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\' || c == '$' || c == '`') out += '\\';
        out += c;
    }
    return out + "\"";
}

std::string unit_text(const ProcessSpec& spec, const std::string& env_file,
                      const std::string& unit) {
    const char* restart = spec.restart == RestartPolicy::never        ? "no"
                          : spec.restart == RestartPolicy::on_failure ? "on-failure"
                                                                      : "always";
    std::string exec;
    for (const auto& each : spec.argv) exec += (exec.empty() ? "" : " ") + quoted(each);
    std::string text = fmt::format(
        "# Written by orchestrix-agent; changes are lost.\n[Unit]\nDescription={} (orchestrix)\n"
        "StartLimitIntervalSec=0\n{}{}\n\n[Service]\nType=simple\nExecStart={}\n"
        "EnvironmentFile={}\nRestart={}\nRestartSec={}ms\nTimeoutStopSec=10\nKillMode=mixed\n"
        "LimitNOFILE={}\nSyslogIdentifier={}\n",
        spec.service, key_line, spec.key, exec, env_file, restart,
        std::max<std::uint32_t>(spec.backoff_min_ms, 1000), spec.open_files_max, unit);
    if (!spec.directory.empty()) text += "WorkingDirectory=" + spec.directory + "\n";
    if (!spec.user.empty()) text += "User=" + spec.user + "\n";
    if (spec.memory_max_bytes != 0) text += fmt::format("MemoryMax={}\n", spec.memory_max_bytes);
    if (spec.cpu_percent_max != 0) text += fmt::format("CPUQuota={}%\n", spec.cpu_percent_max);
    return text + "\n[Install]\nWantedBy=multi-user.target\n";
}

class SystemdManager final : public ServiceManager {
  public:
    explicit SystemdManager(const DriverSettings& settings)
        : prefix_("orchestrix-" + settings.node_id.substr(0, 8) + "-"),
          env_root_(settings.state_dir + "/units") {}

    std::string_view name() const override { return "systemd"; }

    Result<void> define(const ProcessSpec& spec) override {
        CLARITY_CHECK(check_name("service", spec.service));
        CLARITY_CHECK(make_dirs(env_root_, 0700));
        std::string env;
        for (const auto& [key, value] : spec.env) env += key + "=" + env_quoted(value) + "\n";
        CLARITY_CHECK(write_file_atomic(env_file(spec.service), env, 0600));
        CLARITY_CHECK(write_file_atomic(unit_file(spec.service),
                                        unit_text(spec, env_file(spec.service),
                                                  unit(spec.service)),
                                        0644));
        return call("reload units", [&](sdbus::IProxy& manager) {
            manager.callMethod("Reload").onInterface(manager_interface);
            using Changes = std::vector<sdbus::Struct<std::string, std::string, std::string>>;
            const std::vector<std::string> units{unit(spec.service)};
            Changes changes;
            if (spec.autostart) {
                bool carries = false;
                manager.callMethod("EnableUnitFiles").onInterface(manager_interface)
                    .withArguments(units, false, true).storeResultsTo(carries, changes);
            } else {
                manager.callMethod("DisableUnitFiles").onInterface(manager_interface)
                    .withArguments(units, false).storeResultsTo(changes);
            }
        });
    }

    Result<void> start(const std::string& service) override {
        return call("start " + service, [&](sdbus::IProxy& manager) {
            manager.callMethod("ResetFailedUnit").onInterface(manager_interface)
                .withArguments(unit(service)).dontExpectReply();
            sdbus::ObjectPath job;
            manager.callMethod("StartUnit").onInterface(manager_interface)
                .withArguments(unit(service), std::string("replace")).storeResultsTo(job);
        });
    }

    Result<void> stop(const std::string& service, std::chrono::milliseconds grace) override {
        CLARITY_TRY(auto seen, observe(service));
        if (seen.state != RunState::running && seen.state != RunState::waiting) return {};
        CLARITY_CHECK(call("stop " + service, [&](sdbus::IProxy& manager) {
            sdbus::ObjectPath job;
            manager.callMethod("StopUnit").onInterface(manager_interface)
                .withArguments(unit(service), std::string("replace")).storeResultsTo(job);
        }));
        if (wait_stopped(service, grace)) return {};
        CLARITY_CHECK(call("kill " + service, [&](sdbus::IProxy& manager) {
            manager.callMethod("KillUnit").onInterface(manager_interface)
                .withArguments(unit(service), std::string("all"), std::int32_t{9});
        }));
        if (wait_stopped(service, 10s)) return {};
        return fail(Errc::timeout, "systemd did not stop {}", unit(service));
    }

    Result<void> remove(const std::string& service) override {
        CLARITY_CHECK(check_name("service", service));
        if (!file_exists(unit_file(service))) return {};
        CLARITY_CHECK(stop(service, 10s));
        CLARITY_CHECK(call("disable " + service, [&](sdbus::IProxy& manager) {
            std::vector<sdbus::Struct<std::string, std::string, std::string>> changes;
            manager.callMethod("DisableUnitFiles").onInterface(manager_interface)
                .withArguments(std::vector<std::string>{unit(service)}, false)
                .storeResultsTo(changes);
        }));
        CLARITY_CHECK(remove_all(unit_file(service)));
        CLARITY_CHECK(remove_all(env_file(service)));
        return call("reload units", [](sdbus::IProxy& manager) {
            manager.callMethod("Reload").onInterface(manager_interface);
        });
    }

    Result<Observation> observe(const std::string& service) override {
        Observation out;
        auto text = read_file(unit_file(service), 1U << 20);
        if (!text) return out;
        if (const auto at = text->find(key_line); at != std::string::npos) {
            const auto from = at + std::strlen(key_line);
            out.key = text->substr(from, text->find('\n', from) - from);
        }
        CLARITY_CHECK(call("look at " + service, [&](sdbus::IProxy& manager) {
            sdbus::ObjectPath path;
            manager.callMethod("LoadUnit").onInterface(manager_interface)
                .withArguments(unit(service)).storeResultsTo(path);
            auto proxy = sdbus::createProxy(sdbus::createSystemBusConnection(), bus_name, path);
            const auto get = [&](const char* interface, const char* property) {
                return proxy->getProperty(property).onInterface(interface);
            };
            const auto active = get(unit_interface, "ActiveState").get<std::string>();
            const auto sub = get(unit_interface, "SubState").get<std::string>();
            out.restarts = get(service_interface, "NRestarts").get<std::uint32_t>();
            const auto code = get(service_interface, "ExecMainCode").get<std::int32_t>();
            out.exit_code = get(service_interface, "ExecMainStatus").get<std::int32_t>();
            if (code == 2 || code == 3) out.exit_code += 128;  // CLD_KILLED, CLD_DUMPED
            out.started_unix_ms = static_cast<std::int64_t>(
                get(service_interface, "ExecMainStartTimestamp").get<std::uint64_t>() / 1000);
            out.state = sub == "auto-restart"     ? RunState::waiting
                        : active == "active"      ? RunState::running
                        : active == "activating"  ? RunState::waiting
                        : active == "deactivating" ? RunState::running
                                                  : RunState::stopped;
            if (out.state != RunState::running) out.detail = "systemd: " + active + ", " + sub;
        }));
        return out;
    }

    Result<std::string> logs(const std::string& service, std::uint32_t lines) override {
        return fail(Errc::unavailable, "systemd keeps the log: journalctl -u {} -n {}",
                    unit(service), lines);
    }

  private:
    std::string prefix_;
    std::string env_root_;

    [[nodiscard]] std::string unit(const std::string& service) const {
        return prefix_ + service + ".service";
    }
    [[nodiscard]] std::string unit_file(const std::string& service) const {
        return "/etc/systemd/system/" + unit(service);
    }
    [[nodiscard]] std::string env_file(const std::string& service) const {
        return env_root_ + "/" + service + ".env";
    }

    /// One connection per call: nothing shared between worker threads.
    template <class Action>
    static Result<void> call(const std::string& what, Action action) {
        try {
            auto manager =
                sdbus::createProxy(sdbus::createSystemBusConnection(), bus_name, manager_path);
            action(*manager);
            return {};
        } catch (const sdbus::Error& error) {
            return fail(Errc::failed, "systemd: {}: {}", what, error.getMessage());
        }
    }

    bool wait_stopped(const std::string& service, std::chrono::milliseconds timeout) {
        const auto deadline = std::chrono::steady_clock::now() + timeout;
        for (;;) {
            const auto seen = observe(service);
            if (seen && seen->state != RunState::running && seen->state != RunState::waiting) {
                return true;
            }
            if (std::chrono::steady_clock::now() >= deadline) return false;
            std::this_thread::sleep_for(50ms);
        }
    }
};

}  // namespace

Result<std::shared_ptr<ServiceManager>> make_systemd_manager(const DriverSettings& settings) {
    if (::access("/run/systemd/system", F_OK) != 0) {
        return fail(Errc::unavailable,
                    "systemd does not run this host: set service_manager to auto or builtin");
    }
    return std::make_shared<SystemdManager>(settings);
}

}  // namespace clarity
