#include "protocol/endpoint.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>

namespace clarity {
namespace {

constexpr std::size_t endpoint_max_bytes = 128;
constexpr std::string_view digits = "0123456789";
constexpr std::string_view hex_digits = "0123456789abcdefABCDEF";

bool made_of(std::string_view text, std::string_view characters, std::string_view more) {
    return std::all_of(text.begin(), text.end(), [&](char each) {
        return characters.find(each) != characters.npos || more.find(each) != more.npos;
    });
}

bool is_letter(char each) {
    return (each >= 'a' && each <= 'z') || (each >= 'A' && each <= 'Z');
}

/// The host of "HOST:PORT" where the port is one from 1 on.
std::optional<std::string_view> host_before_port(std::string_view text) {
    const auto colon = text.rfind(':');
    if (text.size() > endpoint_max_bytes || colon == text.npos || colon == 0) return std::nullopt;
    const auto port_text = text.substr(colon + 1);
    std::uint16_t port = 0;
    const auto [end, error] =
        std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
    if (error != std::errc() || end != port_text.data() + port_text.size() || port == 0) {
        return std::nullopt;
    }
    return text.substr(0, colon);
}

bool is_bracketed_v6(std::string_view host) {
    return host.size() > 3 && host.front() == '[' && host.back() == ']' &&
           made_of(host.substr(1, host.size() - 2), hex_digits, ":.") && host != "[::]";
}

bool is_v4(std::string_view host) {
    return made_of(host, digits, ".") && std::count(host.begin(), host.end(), '.') == 3 &&
           host != "0.0.0.0";
}

bool is_name(std::string_view host) {
    return std::all_of(host.begin(), host.end(),
                       [](char each) {
                           return is_letter(each) || digits.find(each) != digits.npos ||
                                  each == '-' || each == '.';
                       }) &&
           host.front() != '-' && host.front() != '.' && !made_of(host, digits, ".");
}

}  // namespace

bool is_mesh_endpoint(std::string_view text) {
    constexpr std::string_view scheme = "tcp://";
    if (!text.starts_with(scheme)) return false;
    const auto host = host_before_port(text.substr(scheme.size()));
    return host && (is_v4(*host) || is_bracketed_v6(*host) || is_name(*host));
}

bool is_swarm_endpoint(std::string_view text) {
    const auto host = host_before_port(text);
    return host && (is_v4(*host) || is_bracketed_v6(*host));
}

}  // namespace clarity
