#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "tests/sim/simulator.hpp"

namespace clarity::sim {

/// What a malicious member does, while its own mesh goes on as if nothing were.
enum class Malice {
    forge,       ///< records of others, plans, of any version and size
    replay,      ///< old frames of anybody, word by word
    equivocate,  ///< two records of its own of one version, each to one half
    flood,       ///< rubbish, requests that cost much, announcements of what is not there
    accuse,      ///< says that healthy members are suspect, dead or gone, with forged accusers
    ghost,       ///< says that dead members live: claims, fresh evidence, acks as a helper
    swallow,     ///< answers probes, passes nothing on and never nacks
};

[[nodiscard]] std::string_view name_of(Malice malice);
/// All of them, in order.
[[nodiscard]] const std::vector<Malice>& all_malice();

/// An adversary for node `self`; `victims` are those that it is after (accuse, ghost, flood).
[[nodiscard]] std::unique_ptr<Adversary> adversary(Malice malice, std::size_t self,
                                                   std::vector<std::size_t> victims,
                                                   std::uint64_t seed);

}  // namespace clarity::sim
