#pragma once

#include <string>
#include <vector>

#include "protocol/error.hpp"

namespace clarity {

/// How this host's control groups are mounted.
enum class CgroupLayout { none, v1, v2 };
[[nodiscard]] CgroupLayout cgroup_layout();

/// A control group for one service with a memory and CPU limit (0 = none). `procs` lists the files
/// a process writes its pid to in order to join; `notices` says what could not be limited.
struct CgroupLimits {
    std::vector<std::string> procs;
    std::vector<std::string> notices;
};
[[nodiscard]] CgroupLimits make_cgroup(const std::string& name, std::uint64_t memory_max_bytes,
                                       std::uint32_t cpu_percent_max);
/// Takes the empty groups away; fine where there are none.
void remove_cgroup(const std::string& name);

}  // namespace clarity
