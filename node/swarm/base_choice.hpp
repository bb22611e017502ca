#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "protocol/delta.hpp"
#include "protocol/manifest.hpp"

namespace clarity::swarm {

/// Another version of an artifact, to be had from peers before the artifact itself is pulled.
struct BaseChoice {
    std::shared_ptr<const Manifest> base;
    std::uint64_t spared_bytes = 0;  ///< that need not cross the WAN then
};

/// LAN bytes are cheap, but not any number of them for one byte of the WAN: no WAN that is worth
/// sparing is much less than a hundred times slower.
inline constexpr std::uint64_t base_bytes_per_spared_max = 64;

struct BaseTerms {
    std::uint64_t missing_bytes = 0;  ///< of the artifact, at the whole site: no more can be spared
    std::uint64_t spares_min_bytes = 0;
};

/// Which of `others` spares the most beyond what is `held` here already; nothing where none spares
/// enough: a tenth of what would be pulled, and the least of the terms. Pure; reads whole chunk
/// lists.
[[nodiscard]] std::optional<BaseChoice> choose_base(
    const Manifest& wanted, const std::vector<std::shared_ptr<const Manifest>>& others,
    const delta::IsHeld& held, const BaseTerms& terms);

}  // namespace clarity::swarm
