#pragma once

#include <string>
#include <vector>

#include "protocol/status.hpp"

namespace clarity {

/// An artifact version that whoever answers knows, whether the site has it or not.
struct KnownArtifact {
    std::string artifact;
    std::string version;
    Digest sha256;
    std::uint64_t size_bytes = 0;
};

/// Who at a site has which share of an artifact, and who fetches it: the documented answer of
/// `clarity artifact peers -o json`, the same from the coordinator and any node. `name` is "NAME"
/// for every version that somebody has, or "NAME@VERSION". Shares are as old as the servers'
/// `age_s`. A server that keeps a whole copy beside what it reports in detail has no byte counts.
[[nodiscard]] Json artifact_peers_json(const SiteView& view, const std::string& name,
                                       const std::vector<KnownArtifact>& known);

}  // namespace clarity
