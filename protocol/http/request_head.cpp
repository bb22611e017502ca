#include "protocol/http/request_head.hpp"

namespace clarity::http {
namespace {

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/// Percent decoding; a broken escape stays as it is. `plus` as in a query: '+' is a space.
std::string decoded(std::string_view text, bool plus) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 &&
            hex_value(text[i + 2]) >= 0) {
            out += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
            i += 2;
        } else {
            out += plus && text[i] == '+' ? ' ' : text[i];
        }
    }
    return out;
}

std::map<std::string, std::string> parse_query(std::string_view text) {
    std::map<std::string, std::string> out;
    while (!text.empty()) {
        const auto end = std::min(text.find('&'), text.size());
        const auto pair = text.substr(0, end);
        const auto equals = std::min(pair.find('='), pair.size());
        if (!pair.empty()) {
            out.try_emplace(decoded(pair.substr(0, equals), true),
                            equals < pair.size() ? decoded(pair.substr(equals + 1), true) : "");
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return out;
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return out;
}

}  // namespace

std::string_view Request::header(const std::string& name) const {
    const auto at = headers.find(name);
    return at == headers.end() ? std::string_view() : at->second;
}

std::string_view Request::bearer_token() const {
    constexpr std::string_view scheme = "bearer ";
    const auto value = header("authorization");
    if (lower(value.substr(0, scheme.size())) != scheme) return {};
    return value.substr(scheme.size());
}

Request head_of(const restinio::http_request_header_t& header) {
    Request out;
    out.method = header.method().c_str();
    const auto path = header.path();
    const auto query = header.query();
    out.path = decoded({path.data(), path.size()}, false);
    out.query = parse_query({query.data(), query.size()});
    header.for_each_field([&](const auto& field) {
        if (field.name().starts_with(':')) return;  // body_guard.hpp's own
        out.headers.insert_or_assign(lower({field.name().data(), field.name().size()}),
                                     std::string(field.value().data(), field.value().size()));
    });
    return out;
}

}  // namespace clarity::http
