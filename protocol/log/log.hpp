#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

/// Structured log lines on stderr: time, level, program, message, and a correlation id where one
/// is at hand. Any thread may log. Levels: info = a rare event an operator wants to see; warning =
/// an operator should act; error = a part of the program stops working; debug = for developers.
/// Nothing that a peer can repeat at will may be logged above debug without a rate limit.
namespace clarity::log {

enum class Level { debug, info, warning, error };

struct Settings {
    std::string program;  ///< "orchestrix-agent"
    Level level = Level::info;
    bool json = false;  ///< one JSON object per line instead of text
};

/// Once, first thing in main.
void start(const Settings& settings);
[[nodiscard]] bool level_from(std::string_view name, Level& level);

void write(Level level, std::string_view correlation_id, std::string_view message);

template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
    write(Level::debug, {}, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
    write(Level::info, {}, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
    write(Level::warning, {}, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
    write(Level::error, {}, fmt::format(format, std::forward<Args>(args)...));
}

/// The same, with the correlation id that the CLI gave a deployment.
template <class... Args>
void info_for(std::string_view correlation_id, fmt::format_string<Args...> format, Args&&... args) {
    write(Level::info, correlation_id, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warning_for(std::string_view correlation_id, fmt::format_string<Args...> format,
                 Args&&... args) {
    write(Level::warning, correlation_id, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace clarity::log
