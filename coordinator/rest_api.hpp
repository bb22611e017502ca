#pragma once

#include <functional>
#include <string>

#include "coordinator/core.hpp"
#include "coordinator/rest_router.hpp"

namespace clarity::coordinator {

/// What a request sets off beyond the state.
struct Effects {
    /// Rosters changed: the control service's list of keys and every site's offers follow.
    std::function<void()> members_changed;
    /// A site has new documents: push them to its uplinks now.
    std::function<void(const std::string& site)> site_changed;
    /// Sends a signed command; to how many uplinks.
    std::function<std::size_t(const std::string& site, const Bytes& envelope)> send_order;
    /// Somebody reads what a site's servers report.
    std::function<void(const std::string& site)> looked_at = [](const std::string&) {};
    /// Gauges are brought up to date before /metrics is written.
    std::function<void()> update_gauges;
};

/// The REST API's handlers, one file per subject. docs/openapi.yaml describes them.
struct Api {
    Core& core;
    Effects effects;

    void add_service_routes(Router& router);     ///< rest_service.cpp: health, metrics, info, audit
    void add_trust_routes(Router& router);       ///< rest_trust.cpp: root, tokens, enrol, observers
    void add_inventory_routes(Router& router);   ///< rest_inventory.cpp: files, profiles, secrets
    void add_artifact_routes(Router& router);    ///< rest_artifacts.cpp: manifests
    void add_cache_routes(Router& router);       ///< rest_cache.cpp: orders about caches
    void add_deployment_routes(Router& router);  ///< rest_deployments.cpp
    void add_agent_routes(Router& router);       ///< rest_agents.cpp: sites, agents, commands
    void add_routes(Router& router);

    /// Writes the audit with who and from where taken of the call.
    void audit(const Call& call, std::string action, std::string target, std::string detail = {});
    [[nodiscard]] Json info_json() const;
};

/// The "envelope" of a body, decoded from base64.
[[nodiscard]] Result<Bytes> envelope_of(const Json& body);
/// {"envelope": base64}.
[[nodiscard]] Json envelope_json(std::string_view bytes);
/// "limit" of the query, from 1 to 1000.
[[nodiscard]] Result<std::size_t> limit_of(const Call& call, std::size_t fallback);

}  // namespace clarity::coordinator
