#pragma once

#include <string>

#include "node/drivers/process.hpp"
#include "node/drivers/service_manager.hpp"

namespace clarity {

/// `orchestrix-agent supervise SPEC`: keeps one process running without the agent.
///
/// Detaches (double fork, setsid), takes the lock beside SPEC so that there is one shim per
/// service, runs the process in its own group, restarts it by policy with backoff, stops it on
/// SIGTERM (TERM to the group, then KILL), keeps its output in a size-capped log and its state in
/// a status file, written atomically. The first process exits once the shim is up: 0, or 1 with
/// one line on stderr. argv[0] is "supervise" or the program; the specification comes last.
int run_supervisor(int argc, char** argv);

/// The specification file's text and back; JSON.
[[nodiscard]] std::string encode_spec(const ProcessSpec& spec);
[[nodiscard]] Result<ProcessSpec> decode_spec(std::string_view text);

/// What the shim last wrote of itself.
struct ShimStatus {
    int shim_pid = 0;
    std::uint64_t shim_start = 0;  ///< /proc/PID/stat start time: the pid is still that process
    int child_pid = 0;
    std::uint64_t child_start = 0;
    std::string state;  ///< running | waiting | stopped | failed
    std::string key;
    std::string boot_id;
    std::uint32_t restarts = 0;
    int exit_code = 0;
    std::int64_t started_unix_ms = 0;
    std::string detail;
};
[[nodiscard]] std::string encode_status(const ShimStatus& status);
[[nodiscard]] Result<ShimStatus> decode_status(std::string_view text);

}  // namespace clarity
