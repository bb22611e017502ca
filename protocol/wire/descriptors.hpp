#pragma once

#include <cstddef>

#include "protocol/error.hpp"

namespace clarity::wire {

/// Raises this process' soft limit on open files so that `connections` fit beside everything else
/// it has open; at the limit libzmq would spin. Returns how many connections do fit; an error names
/// the limit when that is too few to work with.
[[nodiscard]] Result<std::size_t> room_for(std::size_t connections);

}  // namespace clarity::wire
