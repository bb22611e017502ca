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

/// LAN bytes are cheap, but not any number of them for one byte of the WAN.
inline constexpr std::uint64_t base_bytes_per_spared_max = 16;

/// Which of `others` spares the most beyond what is `held` here already; nothing where none spares
/// `spared_min_bytes` and a tenth of the repository's file. Pure; reads whole chunk lists.
[[nodiscard]] std::optional<BaseChoice> choose_base(
    const Manifest& wanted, const std::vector<std::shared_ptr<const Manifest>>& others,
    const delta::IsHeld& held, std::uint64_t spared_min_bytes);

}  // namespace clarity::swarm
