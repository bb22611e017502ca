#include "node/drivers/service_manager.hpp"

namespace clarity {
namespace {

/// The host's manager was changed, by setting or by installing one: what the other one still has
/// is taken from it, so that no service ever runs twice.
class TakeoverManager final : public ServiceManager {
  public:
    TakeoverManager(std::shared_ptr<ServiceManager> chosen, std::shared_ptr<ServiceManager> other)
        : chosen_(std::move(chosen)), other_(std::move(other)) {}

    std::string_view name() const override { return chosen_->name(); }
    Result<void> define(const ProcessSpec& spec) override {
        CLARITY_CHECK(other_->remove(spec.service));
        return chosen_->define(spec);
    }
    Result<void> start(const std::string& service) override { return chosen_->start(service); }
    Result<void> stop(const std::string& service, std::chrono::milliseconds grace) override {
        CLARITY_CHECK(other_->stop(service, grace));
        return chosen_->stop(service, grace);
    }
    Result<void> remove(const std::string& service) override {
        CLARITY_CHECK(other_->remove(service));
        return chosen_->remove(service);
    }
    Result<Observation> observe(const std::string& service) override {
        return chosen_->observe(service);
    }
    Result<std::string> logs(const std::string& service, std::uint32_t lines) override {
        return chosen_->logs(service, lines);
    }

  private:
    std::shared_ptr<ServiceManager> chosen_;
    std::shared_ptr<ServiceManager> other_;
};

}  // namespace

Result<std::shared_ptr<ServiceManager>> make_service_manager(const DriverSettings& settings) {
    const auto& wanted = settings.service_manager;
    if (wanted != "auto" && wanted != "systemd" && wanted != "builtin") {
        return fail(Errc::invalid, "service_manager \"{}\": use auto, systemd or builtin", wanted);
    }
    auto builtin = make_builtin_manager(settings);
    if (wanted != "systemd" && !systemd_here()) return builtin;
    CLARITY_TRY(auto systemd, make_systemd_manager(settings));
    if (wanted == "builtin") return std::make_shared<TakeoverManager>(builtin, systemd);
    return std::make_shared<TakeoverManager>(systemd, builtin);
}

}  // namespace clarity
