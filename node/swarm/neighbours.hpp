#pragma once

#include <string>
#include <vector>

#include "protocol/bytes.hpp"

namespace clarity::swarm {

/// A server that takes part in an artifact's swarm, as its record says.
struct Participant {
    std::string server_id;
    bool complete = false;  ///< holds the whole file
    bool fetching = false;  ///< claims to pull it from an origin
};

/// A connection to make, or to wait for.
struct Neighbour {
    std::string server_id;
    bool dial = false;  ///< ours to open; the other end's otherwise
};

/// With whom to exchange the pieces of one artifact: at small sites everybody; else the members
/// next to us on three rings of all that lack pieces, each in an order of its own, which makes a
/// random regular graph of six neighbours, and besides whoever may have pieces that nobody else
/// has: the fetchers, and up to three complete holders.
///
/// Rationale: a flow costs processor time at both ends and a sparse random graph spreads pieces as
/// fast as a full one. Who is complete never dials; of two that lack pieces the lower id does.
/// Pure; symmetric where both ends know the same participants.
[[nodiscard]] std::vector<Neighbour> neighbours_of(const Digest& artifact, const std::string& self,
                                                   const std::vector<Participant>& participants);

}  // namespace clarity::swarm
