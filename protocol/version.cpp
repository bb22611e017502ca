#include "protocol/version.hpp"

#include <algorithm>
#include <cctype>

namespace clarity {
namespace {

bool is_number(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(),
                                        [](unsigned char c) { return std::isdigit(c) != 0; });
}

std::strong_ordering compare_identifiers(std::string_view a, std::string_view b) {
    if (is_number(a) && is_number(b)) {
        a.remove_prefix(std::min(a.find_first_not_of('0'), a.size()));
        b.remove_prefix(std::min(b.find_first_not_of('0'), b.size()));
        if (a.size() != b.size()) return a.size() <=> b.size();
        return a.compare(b) <=> 0;
    }
    if (is_number(a) != is_number(b)) {
        return is_number(a) ? std::strong_ordering::less : std::strong_ordering::greater;
    }
    return a.compare(b) <=> 0;
}

std::string_view take_identifier(std::string_view& rest) {
    const auto dot = rest.find('.');
    const auto head = rest.substr(0, dot);
    rest.remove_prefix(dot == std::string_view::npos ? rest.size() : dot + 1);
    return head;
}

std::strong_ordering compare_dotted(std::string_view a, std::string_view b) {
    while (!a.empty() && !b.empty()) {
        const auto order = compare_identifiers(take_identifier(a), take_identifier(b));
        if (order != 0) return order;
    }
    return a.empty() ? (b.empty() ? std::strong_ordering::equal : std::strong_ordering::less)
                     : std::strong_ordering::greater;
}

}  // namespace

std::strong_ordering compare_versions(std::string_view a, std::string_view b) {
    a = a.substr(0, a.find('+'));
    b = b.substr(0, b.find('+'));
    const auto dash_a = std::min(a.find('-'), a.size());
    const auto dash_b = std::min(b.find('-'), b.size());
    const auto core = compare_dotted(a.substr(0, dash_a), b.substr(0, dash_b));
    if (core != 0) return core;
    const bool pre_a = dash_a < a.size();
    const bool pre_b = dash_b < b.size();
    if (pre_a != pre_b) return pre_a ? std::strong_ordering::less : std::strong_ordering::greater;
    if (!pre_a) return std::strong_ordering::equal;
    return compare_dotted(a.substr(dash_a + 1), b.substr(dash_b + 1));
}

}  // namespace clarity
