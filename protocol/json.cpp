#include "protocol/json.hpp"

namespace clarity {

Result<Json> parse_json(std::string_view text, std::size_t size_max_bytes) {
    constexpr int depth_max = 64;
    if (text.size() > size_max_bytes) {
        return fail(Errc::invalid, "JSON of {} bytes is over the limit of {}", text.size(),
                    size_max_bytes);
    }
    bool too_deep = false;
    const auto guard = [&](int depth, Json::parse_event_t, Json&) {
        too_deep = too_deep || depth > depth_max;
        return !too_deep;
    };
    try {
        Json out = Json::parse(text, guard);
        if (too_deep) return fail(Errc::invalid, "JSON is nested more than {} deep", depth_max);
        return out;
    } catch (const nlohmann::json::exception& error) {
        return fail(Errc::invalid, "not JSON: {}", error.what());
    }
}

std::string to_text(const Json& json, int indent) {
    return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace clarity
