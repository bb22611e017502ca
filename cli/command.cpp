#include "cli/command.hpp"

#include <charconv>

#include "cli/view/units.hpp"

namespace clarity::cli {

bool Arguments::has(std::string_view name) const {
    return values_.contains(std::string(name));
}

std::string Arguments::text(std::string_view name) const {
    return text_or(name, "");
}

std::string Arguments::text_or(std::string_view name, std::string_view fallback) const {
    const auto at = values_.find(std::string(name));
    return at == values_.end() || at->second.empty() ? std::string(fallback) : at->second.back();
}

std::vector<std::string> Arguments::list(std::string_view name) const {
    const auto at = values_.find(std::string(name));
    return at == values_.end() ? std::vector<std::string>{} : at->second;
}

std::uint64_t Arguments::number_or(std::string_view name, std::uint64_t fallback) const {
    const auto value = text(name);
    std::uint64_t number = 0;
    const auto end = std::from_chars(value.data(), value.data() + value.size(), number);
    return value.empty() || end.ec != std::errc{} ? fallback : number;
}

std::int64_t Arguments::seconds_or(std::string_view name, std::int64_t fallback) const {
    if (!has(name)) return fallback;
    return parse_duration(text(name)).value_or(fallback);
}

Argument positional(std::string_view name, std::string_view help, bool required) {
    return {.kind = Argument::Kind::positional,
            .name = name,
            .value = {},
            .help = help,
            .required = required};
}

Argument option(std::string_view name, std::string_view value, std::string_view help,
                Argument::Check check) {
    return {
        .kind = Argument::Kind::option, .name = name, .value = value, .help = help, .check = check};
}

Argument list_option(std::string_view name, std::string_view value, std::string_view help) {
    return {.kind = Argument::Kind::option,
            .name = name,
            .value = value,
            .help = help,
            .repeated = true};
}

Argument flag(std::string_view name, std::string_view help) {
    return {.kind = Argument::Kind::flag, .name = name, .value = {}, .help = help};
}

Argument environment_option() {
    auto argument =
        option("environment", "ENV", "dev, staging, prod or mock; default: the one the site runs");
    argument.letter = "e";
    return argument;
}

}  // namespace clarity::cli
