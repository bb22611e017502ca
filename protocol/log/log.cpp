#include "protocol/log/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "protocol/json.hpp"

namespace clarity::log {
namespace {

bool as_json = false;

spdlog::level::level_enum to_spdlog(Level level) {
    switch (level) {
        case Level::debug: return spdlog::level::debug;
        case Level::info: return spdlog::level::info;
        case Level::warning: return spdlog::level::warn;
        case Level::error: return spdlog::level::err;
    }
    return spdlog::level::info;
}

}  // namespace

void start(const Settings& settings) {
    as_json = settings.json;
    auto logger = spdlog::stderr_logger_mt(settings.program);
    logger->set_level(to_spdlog(settings.level));
    // Text and JSON differ in the frame only; write() makes the payload of each.
    logger->set_pattern(as_json
                            ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","program":"%n",%v})"
                            : "%Y-%m-%dT%H:%M:%S.%eZ %l %n: %v",
                        spdlog::pattern_time_type::utc);
    logger->flush_on(spdlog::level::debug);
    spdlog::set_default_logger(std::move(logger));
}

bool level_from(std::string_view name, Level& level) {
    if (name == "debug") level = Level::debug;
    else if (name == "info") level = Level::info;
    else if (name == "warning") level = Level::warning;
    else if (name == "error") level = Level::error;
    else return false;
    return true;
}

void write(Level level, std::string_view correlation_id, std::string_view message) {
    const auto target = to_spdlog(level);
    if (!spdlog::default_logger_raw()->should_log(target)) return;
    std::string line;
    if (as_json) {
        line = R"("message":)" + to_text(Json(message));
        if (!correlation_id.empty())
            line += R"(,"correlation_id":)" + to_text(Json(correlation_id));
    } else {
        line = message;
        for (char& c : line) {
            if (c == '\n' || c == '\r') c = ' ';  // one event, one line, whatever a peer sent
        }
        if (!correlation_id.empty()) line += fmt::format(" [{}]", correlation_id);
    }
    spdlog::default_logger_raw()->log(target, spdlog::string_view_t(line));
}

}  // namespace clarity::log
