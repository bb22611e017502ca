#include <algorithm>
#include <ctime>

#include "node/drivers/config_files.hpp"
#include "node/drivers/docker_api.hpp"
#include "node/drivers/factories.hpp"
#include "node/drivers/process.hpp"
#include "storage/files.hpp"

namespace clarity {
namespace {

constexpr const char* label_key = "orchestrix.key";

/// "2026-01-02T03:04:05.6Z" → unix ms; 0 for what is no time.
std::int64_t time_from(const std::string& text) {
    std::tm parts{};
    if (::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts) == nullptr || parts.tm_year < 70) {
        return 0;
    }
    return static_cast<std::int64_t>(::timegm(&parts)) * 1000;
}

Json ports_of(const Service& service, Json& exposed) {
    Json bindings = Json::object();
    exposed = Json::object();
    for (const auto& each : service.ports) {
        for (const char* protocol : {"/tcp", "/udp"}) {
            const auto name = std::to_string(each.internal) + protocol;
            exposed[name] = Json::object();
            const auto outside = each.external == 0 ? each.internal : each.external;
            Json binding;
            binding["HostPort"] = std::to_string(outside);
            bindings[name] = Json::array({binding});
        }
    }
    return bindings;
}

/// Containers of the host's Docker engine. They outlive the agent; the engine restarts them.
class DockerDriver final : public Driver {
  public:
    explicit DockerDriver(const DriverSettings& settings)
        : settings_(settings),
          api_(settings.docker_socket),
          files_(settings.state_dir + "/docker-config") {}

    std::string_view name() const override { return "docker"; }
    Result<void> probe() override { return api_.ping(); }

    Result<void> validate(const Instance& instance) override {
        const auto& service = instance.service;
        CLARITY_CHECK(check_name("service", service.name));
        CLARITY_CHECK(check_name("version", service.version));
        CLARITY_CHECK(check_config(instance.config));
        if (!service.network.empty() && service.network != "host" && service.network != "bridge") {
            return fail(Errc::invalid, "network \"{}\": use host or bridge", service.network);
        }
        for (const auto& each : service.volumes) {
            if (each.host_path.empty() || each.host_path[0] != '/' || each.container_path.empty() ||
                each.container_path[0] != '/') {
                return fail(Errc::invalid, "volume {}:{}: give absolute paths", each.host_path,
                            each.container_path);
            }
        }
        return {};
    }

    /// The image's reference is kept beside the digest it was loaded from.
    Result<void> prepare(const Instance& instance) override {
        const auto path = image_file(instance.service.name, instance.service.version);
        if (auto known = image_of(instance)) {
            if (api_.call("GET", "/images/" + *known + "/json")) return {};
        }
        if (instance.artifact_path.empty()) {
            return fail(Errc::not_found, "the image of {} {} is gone and its artifact too",
                        instance.service.name, instance.service.version);
        }
        CLARITY_TRY(const auto reference, api_.load_image(instance.artifact_path));
        CLARITY_TRY(const auto image, api_.call("GET", "/images/" + reference + "/json"));
        CLARITY_TRY(const auto id, json_get<std::string>(image, "Id"));
        CLARITY_CHECK(make_dirs(parent_dir(path), 0750));
        return write_file_atomic(path, instance.sha256.hex() + " " + id, 0640);
    }

    Result<void> configure(const Instance& instance) override {
        return place_for_container(files_, instance.service, instance.config,
                                   [&](std::size_t i) { return config_path(instance, i); });
    }

    Result<void> set_up(const Instance& instance) override {
        const auto image = image_of(instance);
        if (!image) return fail(Errc::not_found, "no image of {}", instance.service.name);
        CLARITY_CHECK(delete_container(instance.service.name));
        auto made = api_.call(
            "POST", "/containers/create?name=" + url_encode(container(instance.service.name)),
            body_of(instance, *image));
        if (!made) return tl::unexpected<Error>(std::move(made).error());
        return {};
    }

    Result<void> start(const Instance& instance) override {
        auto done = api_.call("POST", path_of(instance.service.name) + "/start", Json::object());
        if (!done) return tl::unexpected<Error>(std::move(done).error());
        return {};
    }

    Result<void> stop(const std::string& service, std::chrono::milliseconds grace) override {
        const auto seconds = std::max<std::int64_t>(1, (grace.count() + 999) / 1000);
        auto done = api_.call("POST", path_of(service) + "/stop?t=" + std::to_string(seconds));
        if (!done && done.error().code != Errc::not_found) {
            return tl::unexpected<Error>(std::move(done).error());
        }
        return {};
    }

    Result<void> remove(const std::string& service) override {
        CLARITY_CHECK(check_name("service", service));
        CLARITY_CHECK(stop(service, std::chrono::seconds(10)));
        CLARITY_CHECK(delete_container(service));
        CLARITY_CHECK(files_.remove(service));
        return remove_all(config_dir(service));
    }

    Result<void> discard(const std::string& service, const std::string& version) override {
        CLARITY_CHECK(check_name("service", service));
        CLARITY_CHECK(check_name("version", version));
        const auto path = image_file(service, version);
        if (auto text = read_file(path, 1024)) {
            const auto id = text->substr(text->find(' ') + 1);
            (void)api_.call("DELETE", "/images/" + id);  // in use elsewhere: it stays
        }
        return remove_all(path);
    }

    Result<Observation> observe(const std::string& service) override {
        Observation out;
        const auto answer = api_.call("GET", path_of(service) + "/json");
        if (!answer) {
            if (answer.error().code == Errc::not_found) return out;
            return tl::unexpected<Error>(answer.error());
        }
        const auto state = json_or<Json>(*answer, "State", Json::object());
        const auto status = json_or<std::string>(state, "Status", "");
        const auto config = json_or<Json>(*answer, "Config", Json::object());
        out.key =
            json_or<std::string>(json_or<Json>(config, "Labels", Json::object()), label_key, "");
        out.state = status == "running" || status == "paused" ? RunState::running
                    : status == "restarting"                  ? RunState::waiting
                                                              : RunState::stopped;
        out.restarts = json_or<std::uint32_t>(*answer, "RestartCount", 0);
        out.exit_code = json_or<int>(state, "ExitCode", 0);
        out.started_unix_ms = time_from(json_or<std::string>(state, "StartedAt", ""));
        const auto error = json_or<std::string>(state, "Error", "");
        if (out.state != RunState::running) {
            out.detail = error.empty()
                             ? fmt::format("Docker: {}, exit code {}", status, out.exit_code)
                             : "Docker: " + error;
        }
        if (status == "paused") out.drift.emplace_back("container is paused");
        for (auto& line : files_.drift(service)) out.drift.push_back(std::move(line));
        return out;
    }

    Result<std::string> logs(const std::string& service, std::uint32_t lines) override {
        return api_.logs(container(service), lines);
    }

  private:
    DriverSettings settings_;
    DockerApi api_;
    ConfigFiles files_;

    [[nodiscard]] std::string container(const std::string& service) const {
        return "orchestrix-" + settings_.node_id.substr(0, 8) + "-" + service;
    }
    [[nodiscard]] std::string path_of(const std::string& service) const {
        return "/containers/" + url_encode(container(service));
    }
    [[nodiscard]] std::string image_file(const std::string& service,
                                         const std::string& version) const {
        return settings_.state_dir + "/docker-images/" + service + "@" + version;
    }
    [[nodiscard]] std::string config_dir(const std::string& service) const {
        return settings_.state_dir + "/docker-files/" + service;
    }
    [[nodiscard]] std::string config_path(const Instance& instance, std::size_t index) const {
        return config_dir(instance.service.name) + "/" + instance.key + "/" + std::to_string(index);
    }
    /// Id of the image loaded from this very artifact.
    [[nodiscard]] std::optional<std::string> image_of(const Instance& instance) const {
        auto text = read_file(image_file(instance.service.name, instance.service.version), 1024);
        const auto stamp = instance.sha256.hex() + " ";
        if (!text || !text->starts_with(stamp)) return std::nullopt;
        return text->substr(stamp.size());
    }
    Result<void> delete_container(const std::string& service) {
        auto done = api_.call("DELETE", path_of(service) + "?force=1&v=1");
        if (!done && done.error().code != Errc::not_found) {
            return tl::unexpected<Error>(std::move(done).error());
        }
        return {};
    }

    [[nodiscard]] Json body_of(const Instance& instance, const std::string& image) const {
        const auto& service = instance.service;
        Json body;
        body["Image"] = image;
        if (!service.command.empty()) body["Cmd"] = service.command;
        if (!service.user.empty()) body["User"] = service.user;
        body["Env"] = Json::array();
        for (const auto& [key, value] : instance.config.env)
            body["Env"].push_back(key + "=" + value);
        Json labels;
        labels["orchestrix.server"] = settings_.node_id;
        labels["orchestrix.service"] = service.name;
        labels["orchestrix.version"] = service.version;
        labels[label_key] = instance.key;
        body["Labels"] = labels;
        Json host;
        const bool bridge = service.network == "bridge";
        host["NetworkMode"] = bridge ? "bridge" : "host";
        if (bridge) host["PortBindings"] = ports_of(service, body["ExposedPorts"]);
        host["Binds"] = Json::array();
        for (const auto& each : service.volumes) {
            host["Binds"].push_back(each.host_path + ":" + each.container_path +
                                    (each.read_only ? ":ro" : ""));
        }
        for (std::size_t i = 0; i < instance.config.files.size(); ++i) {
            host["Binds"].push_back(config_path(instance, i) + ":" + instance.config.files[i].path);
        }
        const bool never = service.restart == RestartPolicy::never;
        Json restart;
        restart["Name"] = never                                          ? "no"
                          : service.restart == RestartPolicy::on_failure ? "on-failure"
                          : service.autostart                            ? "unless-stopped"
                                                                         : "on-failure";
        host["RestartPolicy"] = restart;
        if (service.memory_max_bytes != 0) host["Memory"] = service.memory_max_bytes;
        if (service.cpu_percent_max != 0) {
            host["NanoCpus"] = std::uint64_t{service.cpu_percent_max} * 10'000'000;
        }
        Json log;
        log["Type"] = "json-file";
        log["Config"] = {{"max-size", "8m"}, {"max-file", "2"}};
        host["LogConfig"] = log;
        body["HostConfig"] = host;
        return body;
    }
};

}  // namespace

std::shared_ptr<Driver> make_docker_driver(const DriverSettings& settings) {
    return std::make_shared<DockerDriver>(settings);
}

}  // namespace clarity
