#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "protocol/error.hpp"

namespace clarity {

/// Runs a program (argv[0] is its path) with stdin and stdout on /dev/null until it ends; its exit
/// code and what it wrote to stderr (first 4 KiB). Killed at the deadline: Errc::timeout.
struct ProcessEnd {
    int exit_code = 0;
    std::string errors;
};
[[nodiscard]] Result<ProcessEnd> run_process(const std::vector<std::string>& argv,
                                             std::chrono::milliseconds timeout);

/// Start time of a process in clock ticks since boot; 0 when there is none or it is a zombie.
[[nodiscard]] std::uint64_t process_start_time(int pid);
/// This boot's id (/proc/sys/kernel/random/boot_id).
[[nodiscard]] std::string boot_id();

[[nodiscard]] std::int64_t unix_ms_now();

/// Last `lines` lines of a text file, at most 64 KiB of it; empty where there is none.
[[nodiscard]] std::string tail_of(const std::string& path, std::uint32_t lines);

/// Whether a name of a service or version may be a folder's name: [A-Za-z0-9][A-Za-z0-9._+~-]*.
[[nodiscard]] Result<void> check_name(std::string_view what, std::string_view name);

}  // namespace clarity
