#pragma once

#include <string>

#include "protocol/error.hpp"

namespace clarity {

/// Makes the agent's state folder (or puts its modes right). Services of other users run in
/// folders below `services`, so the way there is open; all else holds keys, sealed or resolved
/// configuration and customers' software, and is closed to everybody but the agent.
[[nodiscard]] Result<void> make_state_dirs(const std::string& state_dir);

}  // namespace clarity
