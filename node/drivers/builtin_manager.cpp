#include <signal.h>

#include <thread>

#include "node/drivers/supervisor.hpp"
#include "storage/files.hpp"

namespace clarity {
namespace {

using namespace std::chrono_literals;

constexpr auto shim_start_timeout = 20s;

/// One folder per service: spec.json, status.json, log, log.1, lock, grace.
class BuiltinManager final : public ServiceManager {
  public:
    explicit BuiltinManager(const DriverSettings& settings)
        : root_(settings.state_dir + "/supervise"),
          program_(settings.agent_program.empty() ? "/proc/self/exe" : settings.agent_program) {}

    std::string_view name() const override { return "builtin"; }

    Result<void> define(const ProcessSpec& spec) override {
        CLARITY_CHECK(check_name("service", spec.service));
        CLARITY_CHECK(make_dirs(dir(spec.service), 0750));
        return write_file_atomic(dir(spec.service) + "/spec.json", encode_spec(spec), 0600);
    }

    Result<void> start(const std::string& service) override {
        if (shim(service)) return {};
        auto end =
            run_process({program_, "supervise", dir(service) + "/spec.json"}, shim_start_timeout);
        if (!end) return fail_within("start the supervisor of " + service, std::move(end));
        if (end->exit_code != 0) {
            if (shim(service)) return {};  // another call was faster
            return fail(Errc::failed, "start {}: {}", service,
                        end->errors.empty() ? "the supervisor gave no reason" : end->errors);
        }
        return {};
    }

    Result<void> stop(const std::string& service, std::chrono::milliseconds grace) override {
        const auto running = shim(service);
        if (!running) return end_orphan(service, grace);
        CLARITY_CHECK(write_file_atomic(dir(service) + "/grace", std::to_string(grace.count())));
        ::kill(running->shim_pid, SIGTERM);
        if (wait_gone(running->shim_pid, running->shim_start, grace + 10s)) return {};
        ::kill(running->shim_pid, SIGKILL);
        return end_orphan(service, 0ms);
    }

    Result<void> remove(const std::string& service) override {
        CLARITY_CHECK(check_name("service", service));
        CLARITY_CHECK(stop(service, 10s));
        return remove_all(dir(service));
    }

    Result<Observation> observe(const std::string& service) override {
        Observation out;
        if (!file_exists(dir(service) + "/spec.json")) return out;
        out.state = RunState::stopped;
        const auto status = last_status(service);
        if (!status) {
            if (auto spec = read_spec(service)) out.key = spec->key;
            out.detail = "not started yet";
            return out;
        }
        out.key = status->key;
        out.restarts = status->restarts;
        out.exit_code = status->exit_code;
        out.started_unix_ms = status->started_unix_ms;
        out.detail = status->detail;
        if (status->boot_id != boot_id()) {
            out.detail = "the host restarted";
        } else if (alive(status->shim_pid, status->shim_start)) {
            out.state = status->state == "running"   ? RunState::running
                        : status->state == "waiting" ? RunState::waiting
                                                     : RunState::stopped;
        } else if (status->state == "running" || status->state == "waiting") {
            out.exit_code = 137;
            out.detail = "its supervisor was killed";
            out.drift.emplace_back("supervisor process is missing");
        }
        return out;
    }

    Result<std::string> logs(const std::string& service, std::uint32_t lines) override {
        CLARITY_CHECK(check_name("service", service));
        return tail_of(dir(service) + "/log", lines);
    }

  private:
    std::string root_;
    std::string program_;

    [[nodiscard]] std::string dir(const std::string& service) const {
        return root_ + "/" + service;
    }
    [[nodiscard]] static bool alive(int pid, std::uint64_t start) {
        return pid > 0 && start != 0 && process_start_time(pid) == start;
    }
    [[nodiscard]] std::optional<ShimStatus> last_status(const std::string& service) const {
        auto text = read_file(dir(service) + "/status.json", 1U << 20);
        if (!text) return std::nullopt;
        auto status = decode_status(*text);
        if (!status) return std::nullopt;
        return *status;
    }
    [[nodiscard]] Result<ProcessSpec> read_spec(const std::string& service) const {
        CLARITY_TRY(const auto text, read_file(dir(service) + "/spec.json", 4U << 20));
        return decode_spec(text);
    }
    /// The status of a shim that runs now and is really that process.
    [[nodiscard]] std::optional<ShimStatus> shim(const std::string& service) const {
        auto status = last_status(service);
        if (!status || status->boot_id != boot_id()) return std::nullopt;
        if (!alive(status->shim_pid, status->shim_start)) return std::nullopt;
        if (status->state != "running" && status->state != "waiting") {
            (void)wait_gone(status->shim_pid, status->shim_start, 2s);  // it is just ending
            return std::nullopt;
        }
        return status;
    }
    [[nodiscard]] static bool wait_gone(int pid, std::uint64_t start,
                                        std::chrono::milliseconds timeout) {
        const auto deadline = std::chrono::steady_clock::now() + timeout;
        while (alive(pid, start)) {
            if (std::chrono::steady_clock::now() >= deadline) return false;
            std::this_thread::sleep_for(10ms);
        }
        return true;
    }
    /// Ends a process whose shim was killed.
    Result<void> end_orphan(const std::string& service, std::chrono::milliseconds grace) {
        const auto status = last_status(service);
        if (!status || status->boot_id != boot_id()) return {};
        if (!alive(status->child_pid, status->child_start)) return {};
        ::kill(-status->child_pid, SIGTERM);
        if (wait_gone(status->child_pid, status->child_start, grace)) return {};
        ::kill(-status->child_pid, SIGKILL);
        if (wait_gone(status->child_pid, status->child_start, 10s)) return {};
        return fail(Errc::timeout, "{}: process {} cannot be killed", service, status->child_pid);
    }
};

}  // namespace

std::shared_ptr<ServiceManager> make_builtin_manager(const DriverSettings& settings) {
    return std::make_shared<BuiltinManager>(settings);
}

}  // namespace clarity
