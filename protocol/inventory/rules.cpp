#include "protocol/inventory/rules.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include "protocol/version.hpp"

namespace clarity::inventory {
namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_alnum(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_hex(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

template <class Is>
bool all(std::string_view text, Is is) {
    return std::all_of(text.begin(), text.end(), is);
}

std::vector<std::string_view> split(std::string_view text, char at) {
    std::vector<std::string_view> out;
    for (std::size_t from = 0;;) {
        const auto end = text.find(at, from);
        out.push_back(text.substr(from, end == std::string_view::npos ? end : end - from));
        if (end == std::string_view::npos) return out;
        from = end + 1;
    }
}

bool is_number_identifier(std::string_view text) {
    return !text.empty() && text.size() <= 18 && all(text, is_digit) &&
           (text.size() == 1 || text[0] != '0');
}

bool is_identifiers(std::string_view text, bool zeros_refused) {
    for (const auto each : split(text, '.')) {
        if (each.empty() || !all(each, [](char c) { return is_alnum(c) || c == '-'; }))
            return false;
        if (zeros_refused && all(each, is_digit) && each.size() > 1 && each[0] == '0') return false;
    }
    return true;
}

/// The range's operator, and its version.
std::pair<std::string_view, std::string_view> parts_of(std::string_view range) {
    for (const auto* op : {">=", "<=", "=", ">", "<", "^", "~"}) {
        if (range.starts_with(op)) {
            auto version = range.substr(std::string_view(op).size());
            while (version.starts_with(' ')) version.remove_prefix(1);
            return {op, version};
        }
    }
    return {"=", range};
}

/// The first `count` numbers are the same.
bool same_core(std::string_view a, std::string_view b, std::size_t count) {
    const auto as = split(a.substr(0, a.find_first_of("-+")), '.');
    const auto bs = split(b.substr(0, b.find_first_of("-+")), '.');
    return as.size() >= count && bs.size() >= count &&
           std::equal(as.begin(), as.begin() + static_cast<std::ptrdiff_t>(count), bs.begin());
}

int number_at(std::string_view text, std::size_t at, std::size_t size) {
    int out = -1;
    if (at + size <= text.size() && all(text.substr(at, size), is_digit)) {
        std::from_chars(text.data() + at, text.data() + at + size, out);
    }
    return out;
}

bool within(int value, int low, int high) {
    return value >= low && value <= high;
}

}  // namespace

bool is_semantic_version(std::string_view text) {
    if (text.empty() || text.size() > 64) return false;
    if (const auto plus = text.find('+'); plus != std::string_view::npos) {
        if (!is_identifiers(text.substr(plus + 1), false)) return false;
        text = text.substr(0, plus);
    }
    if (const auto dash = text.find('-'); dash != std::string_view::npos) {
        if (!is_identifiers(text.substr(dash + 1), true)) return false;
        text = text.substr(0, dash);
    }
    const auto core = split(text, '.');
    return core.size() == 3 && std::all_of(core.begin(), core.end(), is_number_identifier);
}

bool is_version_range(std::string_view text) {
    return is_semantic_version(parts_of(text).second);
}

bool satisfies(std::string_view version, std::string_view range) {
    const auto [op, wanted] = parts_of(range);
    const auto order = compare_versions(version, wanted);
    if (op == ">=") return order >= 0;
    if (op == "<=") return order <= 0;
    if (op == ">") return order > 0;
    if (op == "<") return order < 0;
    if (op == "^") return order >= 0 && same_core(version, wanted, 1);
    if (op == "~") return order >= 0 && same_core(version, wanted, 2);
    return order == 0;
}

bool is_name(std::string_view text) {
    return !text.empty() && text.size() <= 64 && is_alnum(text[0]) &&
           all(text, [](char c) { return is_alnum(c) || c == '.' || c == '_' || c == '-'; });
}

bool is_uuid(std::string_view text) {
    if (text.size() != 36) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : !is_hex(text[i])) return false;
    }
    return true;
}

bool is_ip_address(std::string_view text) {
    std::array<unsigned char, 16> out{};
    const std::string copy(text);
    return inet_pton(AF_INET, copy.c_str(), out.data()) == 1 ||
           inet_pton(AF_INET6, copy.c_str(), out.data()) == 1;
}

bool is_email(std::string_view text) {
    const auto at = text.find('@');
    return at != std::string_view::npos && at > 0 && at + 1 < text.size() &&
           text.find('@', at + 1) == std::string_view::npos && text.size() <= 254 &&
           text.find_first_of(" \t\r\n") == std::string_view::npos;
}

bool is_timestamp(std::string_view text) {
    if (text.size() < 10 || text[4] != '-' || text[7] != '-' || number_at(text, 0, 4) < 0 ||
        !within(number_at(text, 5, 2), 1, 12) || !within(number_at(text, 8, 2), 1, 31)) {
        return false;
    }
    text.remove_prefix(10);
    if (text.empty()) return true;
    if (text.size() < 9 || (text[0] != 'T' && text[0] != ' ') || text[3] != ':' || text[6] != ':' ||
        !within(number_at(text, 1, 2), 0, 23) || !within(number_at(text, 4, 2), 0, 59) ||
        !within(number_at(text, 7, 2), 0, 60)) {
        return false;
    }
    text.remove_prefix(9);
    if (text.starts_with('.')) {
        text.remove_prefix(1);
        if (text.empty() || !is_digit(text[0])) return false;
        while (!text.empty() && is_digit(text[0])) text.remove_prefix(1);
    }
    if (text == "Z") return true;
    return text.size() == 6 && (text[0] == '+' || text[0] == '-') && text[3] == ':' &&
           within(number_at(text, 1, 2), 0, 23) && within(number_at(text, 4, 2), 0, 59);
}

bool is_sha256(std::string_view text) {
    return text.size() == 64 && all(text, is_hex);
}

std::optional<std::string> path_fault(std::string_view path) {
    if (!path.starts_with('/')) return "is not absolute: it must start with /";
    if (path.size() > 1024) return "is longer than 1024 bytes";
    if (!all(path, [](char c) { return static_cast<unsigned char>(c) >= 32 && c != 127; })) {
        return "holds a control character";
    }
    for (const auto part : split(path, '/')) {
        if (part == "..") return "holds \"..\"";
    }
    return std::nullopt;
}

bool is_plain_text(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        const auto c = static_cast<unsigned char>(text[i]);
        if (c < 32 && c != '\t' && c != '\n' && c != '\r') return false;
        std::size_t more = c < 0x80 ? 0 : c >= 0xf0 && c < 0xf5 ? 3 : c >= 0xe0 ? 2 : 1;
        if (c >= 0x80 && (c < 0xc2 || c >= 0xf5)) return false;
        for (++i; more > 0; --more, ++i) {
            if (i >= text.size() || (static_cast<unsigned char>(text[i]) & 0xc0U) != 0x80)
                return false;
        }
    }
    return true;
}

}  // namespace clarity::inventory
