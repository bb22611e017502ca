#include "node/own_endpoints.hpp"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include "protocol/endpoint.hpp"

namespace clarity {
namespace {

/// Empty where the interface has no address, or is none.
std::string address_of_interface(const std::string& name) {
    ifaddrs* list = nullptr;
    if (getifaddrs(&list) != 0) return {};
    std::string v4;
    std::string v6;
    for (const auto* each = list; each != nullptr; each = each->ifa_next) {
        if (each->ifa_addr == nullptr || name != each->ifa_name) continue;
        char text[INET6_ADDRSTRLEN] = "";
        if (each->ifa_addr->sa_family == AF_INET && v4.empty()) {
            const auto* address = reinterpret_cast<const sockaddr_in*>(each->ifa_addr);
            v4 = inet_ntop(AF_INET, &address->sin_addr, text, sizeof text);
        } else if (each->ifa_addr->sa_family == AF_INET6 && v6.empty()) {
            const auto* address = reinterpret_cast<const sockaddr_in6*>(each->ifa_addr);
            if (IN6_IS_ADDR_LINKLOCAL(&address->sin6_addr)) continue;
            inet_ntop(AF_INET6, &address->sin6_addr, text, sizeof text);
            v6 = "[" + std::string(text) + "]";
        }
    }
    freeifaddrs(list);
    return v4.empty() ? v6 : v4;
}

}  // namespace

std::string resolve_interface(const std::string& endpoint) {
    const std::string scheme = endpoint.starts_with("tcp://") ? "tcp://" : "";
    const auto rest = endpoint.substr(scheme.size());
    const auto colon = rest.rfind(':');
    if (colon == std::string::npos) return endpoint;
    const auto host = rest.substr(0, colon);
    if (host.empty() || host.size() >= IF_NAMESIZE || if_nametoindex(host.c_str()) == 0) {
        return endpoint;
    }
    const auto address = address_of_interface(host);
    return address.empty() ? endpoint : scheme + address + rest.substr(colon);
}

Endpoints own_endpoints_of(const AgentConfig& config) {
    Endpoints out{resolve_interface(config.mesh_advertise),
                  resolve_interface(config.swarm_advertise)};
    if (!check_advertised("mesh.advertise", out.mesh) || !is_mesh_endpoint(out.mesh)) {
        out.mesh.clear();
    }
    if (!check_advertised("swarm.advertise", out.swarm) || !is_swarm_endpoint(out.swarm)) {
        out.swarm.clear();
    }
    return out;
}

}  // namespace clarity
