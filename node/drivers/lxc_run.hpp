#pragma once

#include <string>
#include <vector>

#include "protocol/error.hpp"

namespace clarity {

/// liblxc behind a few calls. liblxc is not thread-safe towards one container: one caller each.

/// Starts the container in the foreground with `argv` as its init (empty = lxc.init.cmd, which
/// knows no quotes, or /sbin/init) and returns its exit code (128 + signal) when it ends;
/// 125 when it did not start. Only from a single-threaded process: the shim's child.
int run_container(const std::string& lxc_path, const std::string& name,
                  const std::vector<std::string>& argv);

/// Kills all of the container's processes; fine when it does not run.
void kill_container(const std::string& lxc_path, const std::string& name);

/// Process id of the container's init; 0 when it does not run.
[[nodiscard]] int container_init_pid(const std::string& lxc_path, const std::string& name);

/// Makes liblxc read a configuration file: errors name what it refuses.
[[nodiscard]] Result<void> check_container_config(const std::string& lxc_path,
                                                  const std::string& name);

}  // namespace clarity
