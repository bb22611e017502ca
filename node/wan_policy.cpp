#include "node/wan_policy.hpp"

#include <algorithm>

#include "storage/files.hpp"

namespace clarity {

namespace {
constexpr std::size_t file_max_bytes = 64U << 10;
constexpr std::size_t name_max_bytes = 64;

/// Never a path out of the folder.
bool is_zone_name(const std::string& name) {
    if (name.empty() || name.size() > name_max_bytes || name.front() == '/') return false;
    if (name.find("..") != std::string::npos) return false;
    return std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '/' || c == '_' || c == '+' || c == '-';
    });
}
}  // namespace

Result<TimeZone> load_time_zone(const std::string& name, const std::string& folder) {
    if (name == "UTC") return TimeZone();
    const auto path = folder + "/" + name;
    if (!is_zone_name(name) || !file_exists(path)) {
        return fail(Errc::invalid,
                    "wan.time_zone: \"{}\" is no place in {}, such as Europe/Berlin; is the "
                    "package tzdata installed?",
                    name, folder);
    }
    auto bytes = read_file(path, file_max_bytes);
    if (!bytes) return fail_within("wan.time_zone", std::move(bytes));
    auto zone = TimeZone::parse(path, *bytes);
    if (!zone) return fail_within("wan.time_zone", std::move(zone));
    return zone;
}

Result<WanPolicy> wan_policy_of(const AgentConfig& config) {
    WanPolicy out;
    auto hours = WanHours::parse(config.wan_hours);
    if (!hours) return fail_within("wan.hours", std::move(hours));
    out.hours = *std::move(hours);
    CLARITY_TRY(out.zone, load_time_zone(config.wan_time_zone));
    out.budget_bytes_day = config.wan_budget_bytes_day;
    return out;
}

}  // namespace clarity
