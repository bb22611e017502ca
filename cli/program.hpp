#pragma once

namespace clarity::cli {

/// The whole program: parses, runs one command, prints its error, gives the exit code.
[[nodiscard]] int run_program(int argc, const char* const* argv);

}  // namespace clarity::cli
