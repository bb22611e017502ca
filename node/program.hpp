#pragma once

namespace clarity {

/// The command line of orchestrix-agent: runs the agent, or one of its commands (`--help` lists
/// them). Returns the exit code: 0 done, 1 error, 2 usage.
int run_agent_program(int argc, char** argv);

}  // namespace clarity
