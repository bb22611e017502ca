#pragma once

#include <map>
#include <string>
#include <vector>

#include "protocol/error.hpp"
#include "protocol/json.hpp"
#include "protocol/yaml/yaml.hpp"

namespace clarity::cli {

/// The inventory in a folder, by path in it ("clients/acme/servers.yml"): config.yml and what is
/// under artifacts, clients, profiles, repositories and templates. Hidden files are left out,
/// folders that are symbolic links not entered. Sizes and counts are capped.
[[nodiscard]] Result<std::map<std::string, std::string>> read_inventory_files(
    const std::string& folder);

/// Writes files into a new or empty folder; where one cannot be written, none stays.
[[nodiscard]] Result<void> write_inventory_files(
    const std::string& folder, const std::map<std::string, std::string>& files);

struct ProblemCount {
    std::size_t errors = 0;
    std::size_t warnings = 0;
};
[[nodiscard]] ProblemCount count_problems(const std::vector<yaml::Problem>& problems);
[[nodiscard]] Json problems_json(const std::vector<yaml::Problem>& problems);

}  // namespace clarity::cli
