#pragma once

#include "protocol/envelope.hpp"
#include "protocol/record.hpp"

namespace clarity {

/// What a server says to its LAN by multicast, so that members without fixed addresses find each
/// other: a signed envelope in one UDP datagram. It proves who said it and nothing about where the
/// datagram came from; an address in it is tried, never trusted.
struct LanAnnouncement {
    std::string site;
    std::string server_id;
    Endpoints endpoints;
    /// Rises with every announcement: the mesh's incarnation (stored before use), then a count.
    RecordVersion number;

    /// Signed, as it travels.
    [[nodiscard]] Bytes seal(const SigningKey& key) const;
};

/// More than the longest site, id and endpoints take, less than a LAN's MTU.
inline constexpr std::size_t lan_announcement_max_bytes = 1200;

/// What a datagram claims, not verified: only for dropping it early.
struct ClaimedAnnouncement {
    LanAnnouncement claim;
    Envelope envelope;
};
[[nodiscard]] Result<ClaimedAnnouncement> read_lan_announcement(std::string_view datagram);

/// Is it the claimed member's own word, for this roster's site?
[[nodiscard]] Result<void> verify_lan_announcement(const Roster& roster,
                                                   const ClaimedAnnouncement& claimed);

}  // namespace clarity
