#pragma once

#include <chrono>
#include <memory>
#include <random>
#include <zmq.hpp>

#include "protocol/wire/admission.hpp"
#include "protocol/wire/complaints.hpp"
#include "protocol/wire/inbox.hpp"
#include "protocol/wire/link_guard.hpp"
#include "protocol/wire/sleeper.hpp"

namespace clarity::wire {

using Clock = std::chrono::steady_clock;

/// What the listeners and connections of one Wire share. Belongs to the network thread.
struct Common {
    Limits limits;
    CurveKey secret;
    CurveKey own_key;  ///< the public one of `secret`
    std::shared_ptr<Inbox> inbox;
    Counters& counters;
    Complaints& complaints;
    zmq::context_t context;
    Sleeper sleeper;  ///< watches every socket
    LinkGuard guard;
    Admission admission;
    std::minstd_rand random;

    /// Half of `ms` up to all of it, so that many do not come at once.
    [[nodiscard]] std::chrono::milliseconds jittered(int ms) {
        return std::chrono::milliseconds(
            std::uniform_int_distribution<int>(ms / 2, std::max(ms, 1))(random));
    }
};

/// Messages read from one socket before the others get their turn.
inline constexpr int burst = 64;

}  // namespace clarity::wire
