#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "node/drivers/config_files.hpp"
#include "node/drivers/factories.hpp"
#include "node/drivers/lxc_config.hpp"
#include "node/drivers/lxc_run.hpp"
#include "node/drivers/process.hpp"
#include "node/drivers/unpack.hpp"
#include "storage/files.hpp"

namespace clarity {
namespace {

constexpr std::size_t config_max_bytes = 1U << 20;
constexpr int lxc_not_started = 125;

/// Containers of liblxc, each under a shim of its own, which starts it in the foreground: so its
/// exit code and output are known, and it needs no agent.
class LxcDriver final : public Driver {
  public:
    explicit LxcDriver(const DriverSettings& settings)
        : settings_(settings),
          lxc_path_(settings.state_dir + "/lxc"),
          manager_(make_builtin_manager(of_containers(settings))),
          files_(settings.state_dir + "/lxc-config") {}

    std::string_view name() const override { return "lxc"; }

    Result<void> probe() override {
        if (::geteuid() != 0) {
            return fail(Errc::unavailable, "LXC: the agent must run as root to start containers");
        }
        if (cgroup_layout() == CgroupLayout::none) {
            return fail(Errc::unavailable,
                        "LXC: no control groups are mounted at /sys/fs/cgroup: mount them");
        }
        const pid_t pid = ::fork();  // only calls that are safe after fork in the child
        if (pid == 0) {
            constexpr int spaces = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC;
            ::_exit(::unshare(spaces) == 0 ? 0 : 1);
        }
        int status = 1;
        while (pid > 0 && ::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
        if (pid < 0 || status != 0) {
            return fail(Errc::unavailable, "LXC: this host does not allow new namespaces");
        }
        return {};
    }

    Result<void> validate(const Instance& instance) override {
        CLARITY_CHECK(check_name("service", instance.service.name));
        CLARITY_CHECK(check_name("version", instance.service.version));
        CLARITY_CHECK(check_config(instance.config));
        return check_container(instance);
    }

    Result<void> prepare(const Instance& instance) override {
        const UnpackLimits limits{settings_.unpacked_max_bytes, settings_.unpacked_max_files};
        const auto dir = folder(instance.service);
        // Closed: a container's set-user-id programs are not for this host's users.
        CLARITY_CHECK(make_dirs(parent_dir(dir), 0700));
        CLARITY_CHECK(unpack_once(instance.artifact_path, dir, instance.sha256.hex(), limits));
        if (!file_exists(dir + "/rootfs")) {
            return fail(Errc::invalid, "the artifact of {} has no rootfs/: it is no LXC tarball",
                        instance.service.name);
        }
        return {};
    }

    Result<void> configure(const Instance& instance) override {
        return place_for_container(files_, instance.service, instance.config,
                                   [&](std::size_t i) { return config_path(instance, i); });
    }

    Result<void> set_up(const Instance& instance) override {
        const auto& service = instance.service;
        const auto dir = folder(service);
        ContainerPlan plan;
        plan.rootfs = dir + "/rootfs";
        plan.log_path = lxc_path_ + "/" + service.name + "/lxc.log";
        for (std::size_t i = 0; i < instance.config.files.size(); ++i) {
            plan.mounts.push_back({config_path(instance, i), instance.config.files[i].path, false});
        }
        if (auto text = read_file(dir + "/config", config_max_bytes)) plan.from_artifact = *text;
        CLARITY_TRY(const auto made, container_config(instance, plan));
        CLARITY_CHECK(make_dirs(lxc_path_ + "/" + service.name, 0700));
        CLARITY_CHECK(
            write_file_atomic(lxc_path_ + "/" + service.name + "/config", made.text, 0600));
        CLARITY_CHECK(check_container_config(lxc_path_, service.name));
        ProcessSpec spec;
        spec.service = service.name;
        spec.key = instance.key;
        spec.restart = service.restart;
        spec.autostart = service.autostart;
        spec.stop_signal = made.stop_signal;
        spec.argv = service.command;
        spec.lxc_path = lxc_path_;
        spec.lxc_name = service.name;
        return manager_->define(spec);
    }

    Result<void> start(const Instance& instance) override {
        CLARITY_CHECK(remove_all(lxc_path_ + "/" + instance.service.name + "/lxc.log"));
        return manager_->start(instance.service.name);
    }
    Result<void> stop(const std::string& service, std::chrono::milliseconds grace) override {
        CLARITY_CHECK(check_name("service", service));
        CLARITY_CHECK(manager_->stop(service, grace));
        if (file_exists(lxc_path_ + "/" + service + "/config")) {
            kill_container(lxc_path_, service);  // its shim may have been killed
        }
        return {};
    }
    Result<void> remove(const std::string& service) override {
        CLARITY_CHECK(stop(service, std::chrono::seconds(10)));
        CLARITY_CHECK(manager_->remove(service));
        CLARITY_CHECK(remove_all(lxc_path_ + "/" + service));
        CLARITY_CHECK(files_.remove(service));
        return remove_all(config_dir(service));
    }
    Result<void> discard(const std::string& service, const std::string& version) override {
        CLARITY_CHECK(check_name("service", service));
        CLARITY_CHECK(check_name("version", version));
        CLARITY_CHECK(remove_all(settings_.service_root + "/" + service + "/" + version));
        ::rmdir((settings_.service_root + "/" + service).c_str());
        return {};
    }
    Result<Observation> observe(const std::string& service) override {
        CLARITY_TRY(auto seen, manager_->observe(service));
        if (seen.state == RunState::absent) return seen;
        if (!file_exists(lxc_path_ + "/" + service + "/config")) {
            seen.drift.emplace_back("container is missing");
            if (seen.state != RunState::running) seen.state = RunState::absent;
        }
        if (seen.state != RunState::running && seen.exit_code == lxc_not_started) {
            const auto why = tail_of(lxc_path_ + "/" + service + "/lxc.log", 8);
            seen.detail = "LXC did not start it: " + first_reason(why);
        }
        for (auto& line : files_.drift(service)) seen.drift.push_back(std::move(line));
        return seen;
    }
    Result<std::string> logs(const std::string& service, std::uint32_t lines) override {
        return manager_->logs(service, lines);
    }
    std::vector<std::string> notices() const override {
        std::vector<std::string> out;
        if (cgroup_layout() == CgroupLayout::none) {
            out.emplace_back("no memory or CPU limits: this host has no control groups");
        }
        return out;
    }

  private:
    DriverSettings settings_;
    std::string lxc_path_;
    std::shared_ptr<ServiceManager> manager_;
    ConfigFiles files_;

    static DriverSettings of_containers(DriverSettings settings) {
        settings.state_dir += "/lxc-shims";
        return settings;
    }
    [[nodiscard]] std::string folder(const Service& service) const {
        return settings_.service_root + "/" + service.name + "/" + service.version;
    }
    [[nodiscard]] std::string config_dir(const std::string& service) const {
        return settings_.state_dir + "/lxc-files/" + service;
    }
    /// A folder per instance: what still runs keeps seeing its own files.
    [[nodiscard]] std::string config_path(const Instance& instance, std::size_t index) const {
        return config_dir(instance.service.name) + "/" + instance.key + "/" + std::to_string(index);
    }
    /// The first error line of liblxc's log, without time and source.
    static std::string first_reason(const std::string& log) {
        const auto at = log.find(" ERROR ");
        if (at == std::string::npos) return "see its lxc.log";
        auto line = log.substr(at + 7, log.find('\n', at) - at - 7);
        while (!line.empty() && line.front() == ' ') line.erase(0, 1);
        return line.substr(0, 300);
    }
};

}  // namespace

std::shared_ptr<Driver> make_lxc_driver(const DriverSettings& settings) {
    return std::make_shared<LxcDriver>(settings);
}

}  // namespace clarity
