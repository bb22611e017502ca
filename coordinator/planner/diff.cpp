#include <algorithm>

#include "coordinator/planner/planner.hpp"

namespace clarity::planner {
namespace {

const Service* find(const ServerPlan* server, const std::string& name) {
    if (server == nullptr) return nullptr;
    for (const auto& service : server->services) {
        if (service.name == name) return &service;
    }
    return nullptr;
}

bool same_ports(const Service& a, const Service& b) {
    return std::equal(a.ports.begin(), a.ports.end(), b.ports.begin(), b.ports.end(),
                      [](const PortMapping& x, const PortMapping& y) {
                          return x.internal == y.internal && x.external == y.external;
                      });
}

bool same_volumes(const Service& a, const Service& b) {
    return std::equal(a.volumes.begin(), a.volumes.end(), b.volumes.begin(), b.volumes.end(),
                      [](const VolumeMount& x, const VolumeMount& y) {
                          return x.host_path == y.host_path && x.read_only == y.read_only &&
                                 x.container_path == y.container_path;
                      });
}

/// What a fingerprint change is made of, as far as it is not sealed.
std::string reason_of(const Service& before, const Service& after) {
    std::string out;
    const auto note = [&](bool differs, const char* what) {
        if (differs) out += (out.empty() ? "" : ", ") + std::string(what);
    };
    note(before.command != after.command, "command");
    note(!same_ports(before, after), "ports");
    note(!same_volumes(before, after), "volumes");
    note(before.network != after.network, "network");
    note(before.user != after.user, "user");
    note(before.autostart != after.autostart, "autostart");
    note(before.restart != after.restart, "restart policy");
    note(before.memory_max_bytes != after.memory_max_bytes, "memory limit");
    note(before.cpu_percent_max != after.cpu_percent_max, "CPU limit");
    return (out.empty() ? "environment or configuration files" : out) + " changed";
}

std::string hostname_of(const std::map<std::string, std::string>& hostnames,
                        const std::string& server_id) {
    const auto at = hostnames.find(server_id);
    return at == hostnames.end() ? server_id : at->second;
}

}  // namespace

std::string_view name_of(Action action) {
    switch (action) {
        case Action::add: return "add";
        case Action::update: return "update";
        case Action::remove: return "remove";
        case Action::restart: return "restart";
    }
    return "unknown";
}

std::vector<Change> diff_plans(const Plan* previous, const Plan& next,
                               const std::map<std::string, std::string>& hostnames) {
    std::vector<Change> out;
    for (const auto& server : next.servers) {
        const auto* before = previous == nullptr ? nullptr : previous->find(server.server_id);
        const auto host = hostname_of(hostnames, server.server_id);
        const auto add = [&](const Service& service, Action action, const std::string& from,
                             const std::string& to, std::string reason) {
            out.push_back(
                {server.server_id, host, service.name, action, from, to, std::move(reason)});
        };
        for (const auto& service : server.services) {
            const auto* old = find(before, service.name);
            if (old == nullptr) {
                add(service, Action::add, "", service.version, "new on this server");
            } else if (old->version != service.version) {
                add(service, Action::update, old->version, service.version, "another version");
            } else if (old->manifest != service.manifest) {
                add(service, Action::update, old->version, service.version, "another manifest");
            } else if (old->config_fingerprint != service.config_fingerprint) {
                add(service, Action::restart, old->version, service.version,
                    reason_of(*old, service));
            }
        }
        if (before == nullptr) continue;
        for (const auto& old : before->services) {
            if (find(&server, old.name) == nullptr) {
                add(old, Action::remove, old.version, "", "no longer wanted here");
            }
        }
    }
    if (previous == nullptr) return out;
    for (const auto& server : previous->servers) {
        if (next.find(server.server_id) != nullptr) continue;
        for (const auto& old : server.services) {
            out.push_back({server.server_id, hostname_of(hostnames, server.server_id), old.name,
                           Action::remove, old.version, "", "the server left the plan"});
        }
    }
    return out;
}

}  // namespace clarity::planner
