#include <algorithm>

#include "coordinator/planner/seal.hpp"

namespace clarity::planner {
namespace {

Service* find(ServerPlan& server, const std::string& name) {
    for (auto& service : server.services) {
        if (service.name == name) return &service;
    }
    return nullptr;
}

std::vector<std::string> needs_of(const PlannerInput& input,
                                  const std::map<Digest, const Manifest*>& manifests,
                                  const Service& service) {
    std::vector<std::string> out;
    for (const auto& each : input.inventory.dependencies_of(service.name, service.version)) {
        out.push_back(each.artifact);
    }
    if (const auto at = manifests.find(service.manifest); at != manifests.end()) {
        for (const auto& each : at->second->dependencies) out.push_back(each.artifact);
    }
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
}

/// The latest wave in which any server of the site runs `name`.
std::optional<std::int32_t> latest_wave(const std::vector<ServerPlan>& servers,
                                        const std::string& name) {
    std::optional<std::int32_t> out;
    for (const auto& server : servers) {
        for (const auto& service : server.services) {
            if (service.name == name)
                out = std::max(out.value_or(service.priority), service.priority);
        }
    }
    return out;
}

}  // namespace

void order_services(const PlannerInput& input, const std::map<Digest, const Manifest*>& manifests,
                    std::vector<ServerPlan>& servers, Faults& faults) {
    std::map<std::string, std::vector<std::string>> needs;
    std::size_t services = 0;
    for (auto& server : servers) {
        for (auto& service : server.services) {
            ++services;
            auto [at, fresh] = needs.emplace(service.name, std::vector<std::string>{});
            if (fresh) at->second = needs_of(input, manifests, service);
            for (const auto& name : at->second) {
                if (find(server, name) != nullptr) service.after.push_back(name);
            }
        }
    }
    // Raised until nothing changes; a circle (manifests may make one that the inventory has not)
    // is what goes on for longer than there are services.
    bool changed = true;
    for (std::size_t round = 0; changed; ++round) {
        if (round > services + 1) {
            return faults.add(Errc::invalid,
                              "dependencies go round in a circle between the "
                              "inventory and the artifacts' manifests");
        }
        changed = false;
        for (auto& server : servers) {
            for (auto& service : server.services) {
                for (const auto& name : needs[service.name]) {
                    const auto* here = find(server, name);
                    if (here == &service) continue;
                    const auto there = here == nullptr ? latest_wave(servers, name) : std::nullopt;
                    const auto least = here != nullptr ? here->priority
                                       : there         ? *there + 1
                                                       : service.priority;
                    if (service.priority >= least) continue;
                    service.priority = least;
                    changed = true;
                }
            }
        }
    }
    // Equal priorities on one server cannot show a circle above: look at `after` itself.
    for (auto& server : servers) {
        std::vector<std::string> placed;
        while (placed.size() < server.services.size()) {
            const auto before = placed.size();
            for (const auto& service : server.services) {
                const auto done = [&](const std::string& name) {
                    return std::find(placed.begin(), placed.end(), name) != placed.end();
                };
                if (!done(service.name) &&
                    std::all_of(service.after.begin(), service.after.end(), done)) {
                    placed.push_back(service.name);
                }
            }
            if (placed.size() == before) {
                return faults.add(Errc::invalid,
                                  "dependencies go round in a circle between the "
                                  "inventory and the artifacts' manifests");
            }
        }
    }
}

}  // namespace clarity::planner
