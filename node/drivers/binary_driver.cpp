#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "node/drivers/config_files.hpp"
#include "node/drivers/factories.hpp"
#include "node/drivers/process.hpp"
#include "node/drivers/unpack.hpp"
#include "storage/files.hpp"

namespace clarity {
namespace {

bool is_program(const std::string& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) &&
           ::access(path.c_str(), X_OK) == 0;
}

std::string find_in_path(const std::string& name) {
    for (const char* dir :
         {"/usr/local/sbin/", "/usr/local/bin/", "/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"}) {
        if (is_program(dir + name)) return dir + name;
    }
    return {};
}

/// Programs, scripts and jars as processes of the host's service manager.
class BinaryDriver final : public Driver {
  public:
    BinaryDriver(const DriverSettings& settings, std::shared_ptr<ServiceManager> manager)
        : settings_(settings),
          manager_(std::move(manager)),
          files_(settings.state_dir + "/config") {}

    std::string_view name() const override { return "binary"; }
    Result<void> probe() override { return {}; }

    Result<void> validate(const Instance& instance) override {
        const auto& service = instance.service;
        CLARITY_CHECK(check_name("service", service.name));
        CLARITY_CHECK(check_name("version", service.version));
        CLARITY_CHECK(check_config(instance.config));
        for (const auto& volume : service.volumes) {
            if (volume.host_path.empty() || volume.host_path.front() != '/') {
                return fail(Errc::invalid, "volume \"{}\": give an absolute host path",
                            volume.host_path);
            }
        }
        if (service.type == ArtifactType::jar && find_in_path("java").empty()) {
            return fail(Errc::unavailable, "no java on this host: install a Java runtime");
        }
        return {};
    }

    Result<void> prepare(const Instance& instance) override {
        const auto dir = folder(instance.service);
        const bool unpack = instance.service.type != ArtifactType::jar &&
                            !instance.artifact_path.empty() && is_archive(instance.artifact_path);
        const UnpackLimits limits{settings_.unpacked_max_bytes, settings_.unpacked_max_files};
        if (unpack || instance.artifact_path.empty()) {
            return unpack_once(instance.artifact_path, dir, instance.sha256.hex(), limits);
        }
        return copy_once(instance, dir);
    }

    Result<void> configure(const Instance& instance) override {
        for (const auto& volume : instance.service.volumes) {
            CLARITY_CHECK(make_dirs(volume.host_path, 0755));
        }
        std::vector<PlacedFile> files;
        for (const auto& each : instance.config.files) {
            files.push_back({each.path, each.content, each.mode});
        }
        return files_.place(instance.service.name, files, instance.service.user);
    }

    Result<void> set_up(const Instance& instance) override {
        const auto& service = instance.service;
        ProcessSpec spec;
        spec.service = service.name;
        spec.key = instance.key;
        CLARITY_TRY(spec.argv, arguments(service));
        spec.env = instance.config.env;
        spec.env.emplace("CLARITY_SERVICE_DIR", folder(service));
        spec.directory = folder(service);
        spec.user = service.user;
        spec.restart = service.restart;
        spec.autostart = service.autostart;
        spec.after = service.after;
        spec.memory_max_bytes = service.memory_max_bytes;
        spec.cpu_percent_max = service.cpu_percent_max;
        return manager_->define(spec);
    }

    Result<void> start(const Instance& instance) override {
        return manager_->start(instance.service.name);
    }
    Result<void> stop(const std::string& service, std::chrono::milliseconds grace) override {
        return manager_->stop(service, grace);
    }
    Result<void> remove(const std::string& service) override {
        CLARITY_CHECK(manager_->remove(service));
        return files_.remove(service);
    }
    Result<void> discard(const std::string& service, const std::string& version) override {
        CLARITY_CHECK(check_name("service", service));
        CLARITY_CHECK(check_name("version", version));
        CLARITY_CHECK(remove_all(settings_.service_root + "/" + service + "/" + version));
        ::rmdir((settings_.service_root + "/" + service).c_str());  // when that was the last
        return {};
    }
    Result<Observation> observe(const std::string& service) override {
        CLARITY_TRY(auto seen, manager_->observe(service));
        if (seen.state == RunState::absent) return seen;
        for (auto& line : files_.drift(service)) seen.drift.push_back(std::move(line));
        return seen;
    }
    Result<std::string> logs(const std::string& service, std::uint32_t lines) override {
        return manager_->logs(service, lines);
    }

  private:
    DriverSettings settings_;
    std::shared_ptr<ServiceManager> manager_;
    ConfigFiles files_;

    [[nodiscard]] std::string folder(const Service& service) const {
        return settings_.service_root + "/" + service.name + "/" + service.version;
    }

    /// A bare program: its copy under the service's name, executable.
    Result<void> copy_once(const Instance& instance, const std::string& dir) {
        const auto stamp_path = dir + "/.clarity-unpacked";
        if (auto text = read_file(stamp_path, 256); text && *text == instance.sha256.hex()) {
            return {};
        }
        const auto part = dir + ".part";
        CLARITY_CHECK(remove_all(part));
        CLARITY_CHECK(make_dirs(part, 0755));
        const auto target = part + "/" + instance.service.name;
        std::error_code error;
        std::filesystem::copy_file(instance.artifact_path, target, error);
        if (error) {
            return tl::unexpected<Error>(
                file_error("copy " + instance.artifact_path + " to", target, error.value()));
        }
        ::chmod(target.c_str(), 0755);
        CLARITY_CHECK(write_file_atomic(part + "/.clarity-unpacked", instance.sha256.hex(), 0644));
        CLARITY_CHECK(remove_all(dir));
        return rename_durable(part, dir);
    }

    /// What runs when the plan names no command.
    Result<std::vector<std::string>> default_program(const Service& service) const {
        const auto dir = folder(service);
        const auto bare = dir + "/" + service.name;
        if (service.type == ArtifactType::jar) {
            return std::vector<std::string>{find_in_path("java"), "-jar", bare};
        }
        for (const auto& path : {bare, dir + "/bin/" + service.name}) {
            if (!file_exists(path) || std::filesystem::is_directory(path)) continue;
            if (service.type != ArtifactType::script) return std::vector{path};
            auto text = read_file(path, 16U << 20);
            if (text && text->starts_with("#!")) return std::vector{path};
            return std::vector<std::string>{"/bin/sh", path};
        }
        return fail(Errc::invalid,
                    "the artifact of {} has no {} and no bin/{}: name the program in command",
                    service.name, service.name, service.name);
    }

    Result<std::vector<std::string>> arguments(const Service& service) const {
        auto argv = service.command;
        if (argv.empty() || argv[0].empty() || argv[0][0] == '-') {
            CLARITY_TRY(auto program, default_program(service));
            program.insert(program.end(), argv.begin(), argv.end());
            return program;
        }
        if (argv[0][0] == '/') return argv;
        const auto inside = folder(service) + "/" + argv[0];
        if (is_program(inside)) {
            argv[0] = inside;
        } else if (auto found = find_in_path(argv[0]); !found.empty()) {
            argv[0] = found;
        } else {
            return fail(Errc::invalid, "command \"{}\" of {} is no program in {} nor on this host",
                        argv[0], service.name, folder(service));
        }
        return argv;
    }
};

}  // namespace

std::shared_ptr<Driver> make_binary_driver(const DriverSettings& settings,
                                           std::shared_ptr<ServiceManager> manager) {
    return std::make_shared<BinaryDriver>(settings, std::move(manager));
}

}  // namespace clarity
