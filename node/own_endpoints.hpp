#pragma once

#include <string>

#include "node/config.hpp"
#include "protocol/record.hpp"

namespace clarity {

/// "HOST:PORT" (with or without tcp://) where HOST may be the name of an interface of this host:
/// the same with that interface's first address, IPv4 before IPv6, or with the name where it has
/// none now. Asks the kernel.
[[nodiscard]] std::string resolve_interface(const std::string& endpoint);

/// Where peers reach this server by its configuration, as of now; what is no endpoint that peers
/// can use is left empty.
[[nodiscard]] Endpoints own_endpoints_of(const AgentConfig& config);

}  // namespace clarity
