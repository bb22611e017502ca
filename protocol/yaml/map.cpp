#include <algorithm>
#include <charconv>
#include <cmath>

#include "protocol/yaml/yaml.hpp"

namespace clarity::yaml {
namespace {

const char* kind_name(const Value& value) {
    switch (value.kind) {
        case Value::Kind::null: return "nothing";
        case Value::Kind::scalar: return "a text";
        case Value::Kind::list: return "a list";
        case Value::Kind::map: return "a map";
    }
    return "?";
}

std::string quoted_list(const std::vector<std::string>& names) {
    std::string out;
    for (const auto& name : names) out += (out.empty() ? "" : "|") + name;
    return out;
}

/// What a message shows of somebody's value: never long.
std::string shown(const std::string& text) {
    return text.size() <= 60 ? text : text.substr(0, 57) + "...";
}

}  // namespace

std::optional<std::int64_t> to_integer(const Value& value) {
    if (value.kind != Value::Kind::scalar || value.quoted) return std::nullopt;
    std::int64_t out = 0;
    const auto* end = value.scalar.data() + value.scalar.size();
    const auto [at, error] = std::from_chars(value.scalar.data(), end, out);
    if (error != std::errc{} || at != end) return std::nullopt;
    return out;
}

std::optional<bool> to_boolean(const Value& value) {
    if (value.kind != Value::Kind::scalar || value.quoted) return std::nullopt;
    const auto& text = value.scalar;
    for (const auto* yes : {"true", "True", "TRUE", "yes", "on"}) {
        if (text == yes) return true;
    }
    for (const auto* no : {"false", "False", "FALSE", "no", "off"}) {
        if (text == no) return false;
    }
    return std::nullopt;
}

Map::Map(std::string_view file, const Value& value, Problems& problems, std::string_view what)
    : file_(file), value_(&value), problems_(&problems), what_(what) {
    if (!value.is_map() && value.kind != Value::Kind::null) {
        error(value.line,
              fmt::format("{} must be a map of keys and values, not {}", what_, kind_name(value)));
    }
}

bool Map::has(std::string_view key) const {
    const auto* value = value_->find(key);
    return value != nullptr && value->kind != Value::Kind::null;
}

int Map::line_of(std::string_view key) const {
    for (const auto& entry : value_->entries) {
        if (entry.key == key) return entry.line;
    }
    return value_->line;
}

const Value* Map::take(std::string_view key) {
    asked_.emplace_back(key);
    return value_->find(key);
}

const Value* Map::take_scalar(std::string_view key, Need need) {
    const auto* value = take(key);
    if (value == nullptr || value->kind == Value::Kind::null) {
        if (need == Need::required && (value_->is_map() || value_->kind == Value::Kind::null)) {
            error(value == nullptr ? value_->line : line_of(key),
                  fmt::format("{} has no \"{}\": it is required", what_, key));
        }
        return nullptr;
    }
    if (value->kind != Value::Kind::scalar) {
        error(value->line, fmt::format("\"{}\" must be one value, not {}", key, kind_name(*value)));
        return nullptr;
    }
    return value;
}

std::string Map::text(std::string_view key, Need need, std::string fallback) {
    const auto* value = take_scalar(key, need);
    if (value == nullptr) return fallback;
    if (value->scalar.empty() && need == Need::required) {
        error(value->line, fmt::format("\"{}\" is empty: it is required", key));
    }
    return value->scalar;
}

std::int64_t Map::integer(std::string_view key, std::int64_t min, std::int64_t max,
                          std::int64_t fallback, Need need) {
    const auto* value = take_scalar(key, need);
    if (value == nullptr) return fallback;
    const auto number = to_integer(*value);
    if (!number) {
        error(value->line,
              fmt::format("\"{}\" must be a whole number, not \"{}\"", key, shown(value->scalar)));
        return fallback;
    }
    if (*number < min || *number > max) {
        error(value->line,
              fmt::format("\"{}\" must be from {} to {}, not {}", key, min, max, *number));
        return fallback;
    }
    return *number;
}

double Map::number(std::string_view key, double min, double max, double fallback) {
    const auto* value = take_scalar(key, Need::optional);
    if (value == nullptr) return fallback;
    double out = 0;
    const auto* end = value->scalar.data() + value->scalar.size();
    const auto [at, problem] = std::from_chars(value->scalar.data(), end, out);
    if (problem != std::errc{} || at != end || value->quoted || !std::isfinite(out)) {
        error(value->line,
              fmt::format("\"{}\" must be a number, not \"{}\"", key, shown(value->scalar)));
        return fallback;
    }
    if (out < min || out > max) {
        error(value->line, fmt::format("\"{}\" must be from {} to {}, not {}", key, min, max, out));
        return fallback;
    }
    return out;
}

bool Map::boolean(std::string_view key, bool fallback) {
    const auto* value = take_scalar(key, Need::optional);
    if (value == nullptr) return fallback;
    const auto truth = to_boolean(*value);
    if (!truth) {
        error(value->line,
              fmt::format("\"{}\" must be true or false, not \"{}\"", key, shown(value->scalar)));
    }
    return truth.value_or(fallback);
}

std::string Map::choice(std::string_view key, const std::vector<std::string>& names,
                        std::string fallback, Need need) {
    const auto* value = take_scalar(key, need);
    if (value == nullptr) return fallback;
    if (std::find(names.begin(), names.end(), value->scalar) != names.end()) return value->scalar;
    error(value->line, fmt::format("\"{}\" must be {}, not \"{}\"{}", key, quoted_list(names),
                                   shown(value->scalar), hint(value->scalar, names)));
    return fallback;
}

std::vector<const Value*> Map::take_list(std::string_view key) {
    std::vector<const Value*> out;
    const auto* value = take(key);
    if (value == nullptr || value->kind == Value::Kind::null) return out;
    if (!value->is_list()) {
        error(value->line, fmt::format("\"{}\" must be a list, not {}", key, kind_name(*value)));
        return out;
    }
    for (const auto& item : value->items) out.push_back(&item);
    return out;
}

std::vector<std::string> Map::texts(std::string_view key) {
    std::vector<std::string> out;
    for (const auto* item : take_list(key)) {
        if (item->kind == Value::Kind::scalar) {
            out.push_back(item->scalar);
        } else {
            error(item->line,
                  fmt::format("\"{}\" must be a list of texts: here is {}", key, kind_name(*item)));
        }
    }
    return out;
}

const Value* Map::take_map(std::string_view key) {
    const auto* value = take(key);
    if (value == nullptr || value->kind == Value::Kind::null) return nullptr;
    if (!value->is_map()) {
        error(value->line, fmt::format("\"{}\" must be a map of keys and values, not {}", key,
                                       kind_name(*value)));
        return nullptr;
    }
    return value;
}

std::vector<Entry> Map::entries(std::string_view key) {
    std::vector<Entry> out;
    const auto* value = take_map(key);
    if (value == nullptr) return out;
    for (const auto& entry : value->entries) {
        if (entry.value.kind == Value::Kind::list || entry.value.kind == Value::Kind::map) {
            error(entry.line, fmt::format("\"{}\" in \"{}\" must be one value, not {}", entry.key,
                                          key, kind_name(entry.value)));
            continue;
        }
        out.push_back(entry);
    }
    return out;
}

void Map::finish() {
    for (const auto& entry : value_->entries) {
        if (std::find(asked_.begin(), asked_.end(), entry.key) != asked_.end()) continue;
        const auto near = nearest(entry.key, asked_);
        warning(entry.line, near
                                ? fmt::format("unknown key \"{}\" is ignored: did you mean \"{}\"?",
                                              shown(entry.key), *near)
                                : fmt::format("unknown key \"{}\" is ignored", shown(entry.key)));
    }
}

Result<std::vector<std::string>> read_settings(std::string_view file, std::string_view text,
                                               std::string_view what,
                                               const std::function<void(Map&)>& read) {
    Problems problems;
    if (const auto tree = parse(file, text, problems)) {
        Map map(file, *tree, problems, what);
        read(map);
        map.finish();
    }
    std::vector<std::string> warnings;
    std::string errors;
    for (const auto& problem : problems.sorted()) {
        if (problem.severity == Severity::warning) warnings.push_back(problem.text());
        else errors += (errors.empty() ? "" : "\n") + problem.text();
    }
    if (!errors.empty()) return fail(Errc::invalid, "{}", errors);
    return warnings;
}

}  // namespace clarity::yaml
