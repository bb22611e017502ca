#pragma once

#include "coordinator/planner/planner.hpp"

/// The planner's inner parts.
namespace clarity::planner {

/// What goes wrong in one planning run: all of it, told at once.
class Faults {
  public:
    void add(Errc code, std::string message);
    [[nodiscard]] bool empty() const { return messages_.empty(); }
    /// All messages, a line each; the code is the first one's.
    [[nodiscard]] Error error() const;

  private:
    Errc code_ = Errc::invalid;
    std::vector<std::string> messages_;
};

/// A service before it is sealed.
struct OpenService {
    Service service;  ///< without manifest, sealed_config and fingerprint
    ServiceConfig config;
};

/// Settings with every reference resolved for one server.
[[nodiscard]] OpenService resolve_service(const PlannerInput& input,
                                          const inventory::Server& server,
                                          const inventory::Assignment& assignment, Faults& faults);
/// The repositories, resolved for one server.
[[nodiscard]] RepositorySet resolve_repositories(const PlannerInput& input,
                                                 const inventory::Server& server, Faults& faults);
/// Over everything that must redeploy the service when it changes: the manifest, what the driver is
/// told and the configuration; not priority, order or start watch, which take effect by themselves.
[[nodiscard]] Digest fingerprint(std::string_view key, const Service& service,
                                 const ServiceConfig& config);
/// Sets `after` from dependencies on the same server and raises priorities so that nothing is to
/// run in an earlier wave than what it depends on.
void order_services(const PlannerInput& input, const std::map<Digest, const Manifest*>& manifests,
                    std::vector<ServerPlan>& servers, Faults& faults);

}  // namespace clarity::planner
