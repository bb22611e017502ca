#pragma once

namespace clarity::coordinator {

/// `orchestrix [--config FILE] [--check] [--version] [--help]`: the exit code. Runs until SIGINT
/// or SIGTERM.
[[nodiscard]] int run_program(int argc, char** argv);

}  // namespace clarity::coordinator
