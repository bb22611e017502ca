#pragma once

#include <limits>
#include <vector>

#include "protocol/mesh/mesh.hpp"
#include "protocol/mesh/random.hpp"

namespace clarity::mesh {

inline constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

/// What the parts of a Mesh share: the settings, the hour, chance, and what comes out.
struct Outbox {
    Settings settings;
    Random random;
    std::int64_t now_ms = 0;
    std::vector<Effect> effects;
    Counters counters;
};

}  // namespace clarity::mesh
