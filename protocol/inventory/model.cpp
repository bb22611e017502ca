#include <algorithm>

#include "protocol/inventory/inventory.hpp"

namespace clarity::inventory {
namespace {

/// How closely a target names a server: 0 = not at all, then datacenter, hostname, id.
int closeness(const Profile& profile, const Target& target, const Server& server) {
    if (profile.all_servers) return 1;
    if (!target.server_id.empty()) return target.server_id == server.id ? 4 : 0;
    if (!target.hostname.empty()) return target.hostname == server.hostname ? 3 : 0;
    return target.datacenter == server.datacenter ? 2 : 0;
}

const Target* target_for(const Profile& profile, const Server& server) {
    const Target* best = nullptr;
    int close = 0;
    for (const auto& target : profile.targets) {
        if (const int now = closeness(profile, target, server); now > close) {
            best = &target;
            close = now;
        }
    }
    return best;
}

}  // namespace

const Datacenter* Inventory::datacenter(std::string_view client, std::string_view code) const {
    for (const auto& each : datacenters) {
        if (each.client == client && each.code == code) return &each;
    }
    return nullptr;
}

const Server* Inventory::server(std::string_view id) const {
    for (const auto& each : servers) {
        if (each.id == id) return &each;
    }
    return nullptr;
}

const Server* Inventory::server(std::string_view client, std::string_view name) const {
    for (const auto& each : servers) {
        if (each.client == client && (each.id == name || each.hostname == name)) return &each;
    }
    return nullptr;
}

std::vector<const Server*> Inventory::servers_of(std::string_view client,
                                                 std::string_view code) const {
    std::vector<const Server*> out;
    for (const auto& each : servers) {
        if (each.client == client && each.datacenter == code) out.push_back(&each);
    }
    return out;
}

std::vector<Dependency> Inventory::dependencies_of(std::string_view artifact,
                                                   std::string_view version) const {
    std::vector<Dependency> out;
    if (const auto at = artifacts.find(std::string(artifact)); at != artifacts.end()) {
        out = at->second.dependencies;
    }
    for (const auto& each : versions) {
        if (each.artifact != artifact || each.version != version) continue;
        for (const auto& dependency : each.dependencies) {
            std::erase_if(out,
                          [&](const Dependency& d) { return d.artifact == dependency.artifact; });
            out.push_back(dependency);
        }
    }
    return out;
}

std::vector<Assignment> Inventory::assignments(const Server& server,
                                               Environment environment) const {
    std::map<std::string, std::vector<const Profile*>> own;
    std::map<std::string, std::vector<const Profile*>> general;
    for (const auto& profile : profiles) {
        if (profile.environment != environment) continue;
        if (profile.client == server.client) own[profile.artifact].push_back(&profile);
        if (profile.client.empty()) general[profile.artifact].push_back(&profile);
    }
    general.merge(own);  // leaves in `own` the artifacts that both have
    for (auto& [artifact, list] : own) general[artifact] = list;
    std::vector<Assignment> out;
    for (const auto& [artifact, list] : general) {
        for (const auto* profile : list) {
            if (const auto* target = target_for(*profile, server)) {
                out.push_back({profile, target->priority});
            }
        }
    }
    return out;
}

Scope Inventory::scope(const Server& server, Environment environment) const {
    Scope out;
    const auto client = "clients/" + server.client + "/";
    for (const auto& folder :
         {client + "servers/" + server.hostname + "/",
          client + "datacenters/" + server.datacenter + "/",
          "profiles/" + std::string(name_of(environment)) + "/", client, std::string()}) {
        const auto at = configuration.layers.find(folder);
        if (at != configuration.layers.end()) out.layers.push_back(&at->second);
    }
    out.builtin = {{"server.hostname", server.hostname},
                   {"server.id", server.id},
                   {"server.management_ip", server.management_ip},
                   {"datacenter.code", server.datacenter},
                   {"client.code", server.client},
                   {"environment", std::string(name_of(environment))}};
    return out;
}

bool Loaded::ok() const {
    return std::none_of(problems.begin(), problems.end(),
                        [](const Problem& p) { return p.severity == Severity::error; });
}

}  // namespace clarity::inventory
