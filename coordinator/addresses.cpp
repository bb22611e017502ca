#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "coordinator/config.hpp"

namespace clarity::coordinator {
namespace {

/// Addresses of interfaces that are up, loopback last.
std::vector<std::string> own_addresses() {
    std::vector<std::string> near;
    std::vector<std::string> out;
    ifaddrs* list = nullptr;
    if (getifaddrs(&list) != 0) return out;
    for (const auto* each = list; each != nullptr; each = each->ifa_next) {
        if (each->ifa_addr == nullptr || (each->ifa_flags & IFF_UP) == 0) continue;
        char text[INET6_ADDRSTRLEN] = "";
        if (each->ifa_addr->sa_family == AF_INET) {
            const auto* v4 = reinterpret_cast<const sockaddr_in*>(each->ifa_addr);
            inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
        } else if (each->ifa_addr->sa_family == AF_INET6) {
            const auto* v6 = reinterpret_cast<const sockaddr_in6*>(each->ifa_addr);
            if (IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr)) continue;
            inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
        } else {
            continue;
        }
        ((each->ifa_flags & IFF_LOOPBACK) != 0 ? near : out).emplace_back(text);
    }
    freeifaddrs(list);
    std::stable_partition(out.begin(), out.end(),
                          [](const auto& a) { return a.find(':') == std::string::npos; });
    out.insert(out.end(), near.begin(), near.end());
    return out;
}

std::string host_name() {
    char text[256] = "";
    if (gethostname(text, sizeof text - 1) != 0) return "";
    return text;
}

std::string_view without_scheme(std::string_view url) {
    const auto scheme = url.find("://");
    if (scheme != url.npos) url.remove_prefix(scheme + 3);
    return url.substr(0, url.find('/'));
}

}  // namespace

std::string host_of(std::string_view url) {
    auto rest = without_scheme(url);
    if (rest.starts_with('[')) return std::string(rest.substr(1, rest.find(']') - 1));
    const auto colon = rest.rfind(':');
    // More than one colon and no brackets: a bare v6 address.
    if (colon != rest.npos && rest.find(':') == colon) rest = rest.substr(0, colon);
    return std::string(rest);
}

std::uint16_t port_of(std::string_view url) {
    const auto rest = without_scheme(url);
    const auto colon = rest.rfind(':');
    if (colon == rest.npos || (rest.starts_with('[') && rest.back() == ']')) return 0;
    std::uint16_t out = 0;
    const auto [end, error] =
        std::from_chars(rest.data() + colon + 1, rest.data() + rest.size(), out);
    return error == std::errc() && end == rest.data() + rest.size() ? out : std::uint16_t{0};
}

std::string host_port(const std::string& host, std::uint16_t port) {
    const bool v6 = host.find(':') != std::string::npos;
    return v6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

bool is_wildcard(const std::string& host) {
    return host == "0.0.0.0" || host == "::" || host == "*";
}

std::string public_url(const Config& config, std::uint16_t bound_port) {
    if (!config.rest_public_url.empty()) return config.rest_public_url;
    auto host = host_of(config.rest_listen);
    if (is_wildcard(host)) {
        const auto own = own_addresses();
        host = own.empty() ? "127.0.0.1" : own.front();
    }
    return "https://" + host_port(host, bound_port);
}

std::string control_endpoint(const Config& config, const std::string& rest_url,
                             std::uint16_t bound_port) {
    std::string host = host_of(config.control_listen);
    std::uint16_t port = bound_port;
    if (!config.control_advertise.empty()) {
        host = host_of(config.control_advertise);
        if (const auto given = port_of(config.control_advertise); given != 0) port = given;
    } else if (is_wildcard(host)) {
        host = host_of(rest_url);
    }
    return "tcp://" + host_port(host, port);
}

std::vector<std::string> certificate_hosts(const Config& config) {
    std::vector<std::string> out{"localhost", "127.0.0.1", "::1"};
    const auto add = [&](const std::string& host) {
        constexpr std::size_t hosts_max = 32;
        if (host.empty() || is_wildcard(host) || out.size() >= hosts_max) return;
        if (std::find(out.begin(), out.end(), host) == out.end()) out.push_back(host);
    };
    add(host_of(config.rest_public_url));
    add(host_of(config.rest_listen));
    add(host_name());
    if (is_wildcard(host_of(config.rest_listen))) {
        for (const auto& address : own_addresses()) add(address);
    }
    return out;
}

}  // namespace clarity::coordinator
