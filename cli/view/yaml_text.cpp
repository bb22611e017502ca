#include "cli/view/yaml_text.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace clarity::cli {
namespace {

bool is_plain(std::string_view text) {
    constexpr std::array<std::string_view, 12> words = {"true", "false", "null", "yes", "no",  "on",
                                                        "off",  "y",     "n",    "nan", "inf", "~"};
    if (text.empty() || text.size() > 200) return false;
    const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    // Starting with a letter or a slash, it is neither a number, a date nor an indicator.
    if (!letter(text.front()) && text.front() != '/') return false;
    const bool safe = std::all_of(text.begin(), text.end(), [&](char c) {
        return letter(c) || (c >= '0' && c <= '9') ||
               std::string_view(" ._-/+@()").find(c) != std::string_view::npos;
    });
    if (!safe || text.back() == ' ') return false;
    std::string lower(text);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return std::find(words.begin(), words.end(), lower) == words.end();
}

std::string scalar(const Json& json) {
    if (json.is_string()) {
        const auto& text = json.get_ref<const std::string&>();
        if (is_plain(text)) return text;
    }
    return to_text(json);
}

bool is_block(const Json& json) {
    return json.is_structured() && !json.empty();
}

void write(std::string& out, const Json& json, std::size_t indent);

/// What follows "key:" or "-": on the same line for a scalar, below for a block.
void write_value(std::string& out, const Json& json, std::size_t indent, bool after_dash) {
    if (!is_block(json)) {
        out += ' ';
        out += json.is_structured() ? (json.is_array() ? "[]" : "{}") : scalar(json);
        out += '\n';
        return;
    }
    if (after_dash) {
        // The first line of the nested block stands on the dash's line.
        std::string nested;
        write(nested, json, indent + 2);
        out += ' ';
        out += nested.substr(indent + 2);
        return;
    }
    out += '\n';
    write(out, json, json.is_array() ? indent : indent + 2);
}

void write(std::string& out, const Json& json, std::size_t indent) {
    if (json.is_object()) {
        for (const auto& [key, value] : json.items()) {
            out.append(indent, ' ');
            out += scalar(Json(key));
            out += ':';
            write_value(out, value, indent, false);
        }
        return;
    }
    for (const auto& value : json) {
        out.append(indent, ' ');
        out += '-';
        write_value(out, value, indent, true);
    }
}

}  // namespace

std::string yaml_text(const Json& json) {
    if (!is_block(json)) {
        return (json.is_structured() ? (json.is_array() ? "[]" : "{}") : scalar(json)) + "\n";
    }
    std::string out;
    write(out, json, 0);
    return out;
}

}  // namespace clarity::cli
