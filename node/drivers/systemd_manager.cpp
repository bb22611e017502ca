#include <sdbus-c++/sdbus-c++.h>
#include <unistd.h>

#include <charconv>
#include <thread>

#include "node/drivers/process.hpp"
#include "node/drivers/systemd_journal.hpp"
#include "node/drivers/systemd_unit.hpp"
#include "storage/files.hpp"

namespace clarity {
namespace {

using namespace std::chrono_literals;

constexpr const char* bus_name = "org.freedesktop.systemd1";
constexpr const char* manager_path = "/org/freedesktop/systemd1";
constexpr const char* manager_interface = "org.freedesktop.systemd1.Manager";
constexpr const char* unit_interface = "org.freedesktop.systemd1.Unit";
constexpr const char* service_interface = "org.freedesktop.systemd1.Service";
constexpr auto killed_within = 10s;

/// systemd on the system bus. Every call may throw sdbus::Error. One per operation: nothing is
/// shared between worker threads, and no thread runs for it.
class Bus {
  public:
    Bus()
        : connection_(sdbus::createSystemBusConnection()),
          manager_(sdbus::createProxy(*connection_, bus_name, manager_path)) {}

    /// 252 of "252.39-1~deb12u2"; 0 when it says something else.
    int version() {
        const auto text =
            manager_->getProperty("Version").onInterface(manager_interface).get<std::string>();
        int number = 0;
        std::from_chars(text.data(), text.data() + text.size(), number);
        return number;
    }
    void reload() { manager_->callMethod("Reload").onInterface(manager_interface); }
    /// Makes the links that its [Install] asks for; none without one.
    void enable(const std::string& unit) {
        bool carries = false;
        Changes changes;
        manager_->callMethod("EnableUnitFiles")
            .onInterface(manager_interface)
            .withArguments(std::vector{unit}, false, true)
            .storeResultsTo(carries, changes);
    }
    void disable(const std::string& unit) {
        Changes changes;
        manager_->callMethod("DisableUnitFiles")
            .onInterface(manager_interface)
            .withArguments(std::vector{unit}, false)
            .storeResultsTo(changes);
    }
    void start(const std::string& unit) {
        try {  // so that its restarts are counted from now on
            manager_->callMethod("ResetFailedUnit")
                .onInterface(manager_interface)
                .withArguments(unit);
        } catch (const sdbus::Error&) {  // not loaded: nothing to reset
        }
        job("StartUnit", unit);
    }
    /// Also a unit whose file somebody has removed; fine when systemd does not know it.
    void stop(const std::string& unit) {
        try {
            job("StopUnit", unit);
        } catch (const sdbus::Error& error) {
            if (error.getName() != "org.freedesktop.systemd1.NoSuchUnit") throw;
        }
    }
    bool ended(const std::string& unit) {
        const auto state = proxy_of(unit)
                               ->getProperty("ActiveState")
                               .onInterface(unit_interface)
                               .get<std::string>();
        return state == "inactive" || state == "failed";
    }
    void kill(const std::string& unit) {
        manager_->callMethod("KillUnit")
            .onInterface(manager_interface)
            .withArguments(unit, std::string("all"), std::int32_t{9});
    }
    void observe(const std::string& unit, Observation& out) {
        const auto proxy = proxy_of(unit);
        const auto of_unit = [&](const char* name) {
            return proxy->getProperty(name).onInterface(unit_interface);
        };
        const auto of_service = [&](const char* name) {
            return proxy->getProperty(name).onInterface(service_interface);
        };
        systemd::UnitFacts facts;
        facts.load = of_unit("LoadState").get<std::string>();
        facts.active = of_unit("ActiveState").get<std::string>();
        facts.sub = of_unit("SubState").get<std::string>();
        using Job = sdbus::Struct<std::uint32_t, sdbus::ObjectPath>;
        facts.job = of_unit("Job").get<Job>().get<0>() != 0;
        facts.result = of_service("Result").get<std::string>();
        facts.exit_kind = of_service("ExecMainCode").get<std::int32_t>();
        facts.exit_status = of_service("ExecMainStatus").get<std::int32_t>();
        systemd::describe(facts, out);
        out.restarts = of_service("NRestarts").get<std::uint32_t>();
        out.started_unix_ms = static_cast<std::int64_t>(
            of_service("ExecMainStartTimestamp").get<std::uint64_t>() / 1000);
    }

  private:
    using Changes = std::vector<sdbus::Struct<std::string, std::string, std::string>>;
    std::unique_ptr<sdbus::IConnection> connection_;
    std::unique_ptr<sdbus::IProxy> manager_;

    std::unique_ptr<sdbus::IProxy> proxy_of(const std::string& unit) {
        sdbus::ObjectPath path;
        manager_->callMethod("LoadUnit")
            .onInterface(manager_interface)
            .withArguments(unit)
            .storeResultsTo(path);
        return sdbus::createProxy(*connection_, bus_name, path);
    }
    void job(const char* method, const std::string& unit) {
        sdbus::ObjectPath made;
        manager_->callMethod(method)
            .onInterface(manager_interface)
            .withArguments(unit, std::string("replace"))
            .storeResultsTo(made);
    }
};

/// A unit file per service in /etc/systemd/system; its environment, which may hold secrets, in our
/// own folder.
class SystemdManager final : public ServiceManager {
  public:
    explicit SystemdManager(const DriverSettings& settings)
        : node_id_(settings.node_id), env_root_(settings.state_dir + "/units") {}

    std::string_view name() const override { return "systemd"; }

    Result<void> define(const ProcessSpec& spec) override {
        CLARITY_CHECK(check_name("service", spec.service));
        CLARITY_TRY(const auto env, systemd::environment_text(spec.env));
        CLARITY_CHECK(make_dirs(env_root_, 0700));
        systemd::UnitPlace place{node_id_, env_file(spec.service), 0};
        CLARITY_CHECK(
            call("ask for its version", [&](Bus& bus) { place.version = bus.version(); }));
        CLARITY_CHECK(write_file_atomic(place.env_file, env, 0600));
        CLARITY_CHECK(
            write_file_atomic(unit_file(spec.service), systemd::unit_text(spec, place), 0644));
        return call("define " + spec.service, [&](Bus& bus) {
            bus.disable(unit(spec.service));  // an older definition may have been enabled
            bus.enable(unit(spec.service));
            bus.reload();
        });
    }

    Result<void> start(const std::string& service) override {
        return call("start " + service, [&](Bus& bus) {
            bus.enable(unit(service));
            bus.start(unit(service));
        });
    }

    /// Stopped stays stopped: the host's next start does not bring it back either.
    Result<void> stop(const std::string& service, std::chrono::milliseconds grace) override {
        bool ended = false;
        CLARITY_CHECK(call("stop " + service, [&](Bus& bus) {
            if (file_exists(unit_file(service))) bus.disable(unit(service));
            bus.stop(unit(service));
            ended = wait_ended(bus, unit(service), grace);
            if (ended) return;
            bus.kill(unit(service));
            ended = wait_ended(bus, unit(service), killed_within);
        }));
        if (ended) return {};
        return fail(Errc::timeout, "systemd did not stop {}: see systemctl status {}", service,
                    unit(service));
    }

    Result<void> remove(const std::string& service) override {
        CLARITY_CHECK(check_name("service", service));
        CLARITY_CHECK(stop(service, 10s));
        if (file_exists(unit_file(service))) {
            CLARITY_CHECK(remove_all(unit_file(service)));
            CLARITY_CHECK(call("forget " + service, [](Bus& bus) { bus.reload(); }));
        }
        CLARITY_CHECK(remove_all(link(service)));  // when somebody had removed the file before
        return remove_all(env_file(service));
    }

    Result<Observation> observe(const std::string& service) override {
        Observation out;
        const auto text = read_file(unit_file(service), 1U << 20);
        if (!text && text.error().code == Errc::not_found) return out;
        if (!text) return tl::unexpected<Error>(text.error());
        out.key = systemd::key_of(*text);
        if (!systemd::is_untouched(*text)) {
            out.drift.push_back("unit file " + unit_file(service) + " changed on disk");
        }
        CLARITY_CHECK(
            call("look at " + service, [&](Bus& bus) { bus.observe(unit(service), out); }));
        return out;
    }

    Result<std::string> logs(const std::string& service, std::uint32_t lines) override {
        CLARITY_CHECK(check_name("service", service));
        return systemd::read_journal(unit(service), lines);
    }

  private:
    std::string node_id_;
    std::string env_root_;

    [[nodiscard]] std::string unit(const std::string& service) const {
        return systemd::unit_name(node_id_, service);
    }
    [[nodiscard]] std::string unit_file(const std::string& service) const {
        return "/etc/systemd/system/" + unit(service);
    }
    [[nodiscard]] std::string link(const std::string& service) const {
        return "/etc/systemd/system/multi-user.target.wants/" + unit(service);
    }
    [[nodiscard]] std::string env_file(const std::string& service) const {
        return env_root_ + "/" + service + ".env";
    }

    template <class Action>
    static Result<void> call(const std::string& what, Action action) {
        try {
            Bus bus;
            action(bus);
            return {};
        } catch (const sdbus::Error& error) {
            return fail(Errc::failed, "systemd: {}: {}", what, error.getMessage());
        }
    }

    static bool wait_ended(Bus& bus, const std::string& unit, std::chrono::milliseconds timeout) {
        const auto deadline = std::chrono::steady_clock::now() + timeout;
        while (!bus.ended(unit)) {
            if (std::chrono::steady_clock::now() >= deadline) return false;
            std::this_thread::sleep_for(50ms);
        }
        return true;
    }
};

}  // namespace

Result<std::shared_ptr<ServiceManager>> make_systemd_manager(const DriverSettings& settings) {
    if (!systemd_here()) {
        return fail(Errc::unavailable,
                    "systemd with its D-Bus does not run on this host: install dbus, or set "
                    "service_manager to auto or builtin");
    }
    return std::make_shared<SystemdManager>(settings);
}

bool systemd_here() {
    return ::access("/run/systemd/system", F_OK) == 0 &&
           ::access("/run/dbus/system_bus_socket", F_OK) == 0;
}

}  // namespace clarity
