#pragma once

#include <utility>

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "protocol/keys.hpp"
#include "protocol/lan_announcement.hpp"

namespace clarity {

struct LanBeaconSettings {
    std::string group;      ///< "239.255.84.72:8475": an IPv4 multicast address and port
    std::string interface;  ///< name or address of the LAN's; empty = the system's choice
    std::string site;
    std::string self;
    std::int64_t fast_ms = 1000;        ///< between announcements while somebody is missing…
    std::int64_t fast_for_ms = 30'000;  ///< …and for so long after a start or a change
    std::int64_t slow_ms = 30'000;      ///< otherwise
    std::int64_t answer_ms = 300;       ///< within so long, to a member that we do not hold alive
    std::uint32_t heard_max_s = 200;    ///< datagrams looked at per second
    std::uint32_t verified_max_s = 50;  ///< signatures verified per second
};

/// Since the start; for the metrics.
struct LanBeaconCounters {
    std::uint64_t sent = 0;
    std::uint64_t send_failed = 0;
    std::uint64_t received = 0;
    std::uint64_t accepted = 0;
    std::uint64_t foreign = 0;   ///< of another site, or of nobody in the roster
    std::uint64_t replayed = 0;  ///< not newer than what was heard
    std::uint64_t malformed = 0;
    std::uint64_t forged = 0;   ///< the signature is not the claimed server's
    std::uint64_t limited = 0;  ///< over the rate
};

/// All run on the loop.
struct LanBeaconCallbacks {
    std::function<const Roster&()> roster;
    std::function<Endpoints()> endpoints;        ///< where we are now; without a mesh one: silent
    std::function<std::uint64_t()> incarnation;  ///< the mesh's: stored before use
    /// A known member's own word; says whether it was already held alive.
    std::function<bool(const std::string& server_id, const Endpoints&)> heard;
    std::function<bool()> missing;  ///< is any member of the roster not held alive?
};

/// Tells the LAN where this server is and hears where the others are (optional, off by default).
/// Receives from anybody: decoding is capped, rates are limited before signatures are looked at,
/// and a number heard once never counts again. Loop thread only.
class LanBeacon {
  public:
    /// Never fails: an interface may come up later. What is wrong is logged once, and tried again.
    LanBeacon(boost::asio::io_context& loop, LanBeaconSettings settings, const SigningKey& key,
              LanBeaconCallbacks callbacks);
    ~LanBeacon();

    /// Our address or the roster changed: announce soon, and often for a while.
    void changed();
    [[nodiscard]] const LanBeaconCounters& counters() const;

    /// Is it a multicast "ADDRESS:PORT"?
    [[nodiscard]] static Result<void> check_group(std::string_view group);

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace clarity
