#pragma once

#include <string_view>

namespace clarity {

/// May a member's word for where its mesh listens be given to the transport: "tcp://HOST:PORT" with
/// a name, an IPv4 address or an IPv6 address in brackets, at most 128 bytes? Other transports, and
/// libzmq's "source;destination" form, are not.
[[nodiscard]] bool is_mesh_endpoint(std::string_view text);

/// The same for its swarm: "ADDRESS:PORT", the address numeric.
[[nodiscard]] bool is_swarm_endpoint(std::string_view text);

}  // namespace clarity
