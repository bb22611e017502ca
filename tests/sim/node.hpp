#pragma once

#include <limits>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "protocol/mesh/mesh.hpp"

namespace clarity::sim {

class Simulator;

inline constexpr std::int64_t for_ever = std::numeric_limits<std::int64_t>::max();

/// A malicious member: sits between a Mesh object and the network, and sends what it likes under
/// its own identity. The transport authenticates senders, so that is all that one can do.
class Adversary {
  public:
    virtual ~Adversary() = default;
    /// A frame for this node; false = its mesh never sees it.
    virtual bool frame_in(Simulator& sim, std::size_t from, const Bytes& frame) = 0;
    /// A frame that its mesh sends, to be altered; false = it is not sent.
    virtual bool frame_out(Simulator& sim, std::size_t to, Bytes& frame) = 0;
    /// Every `tick_ms`.
    virtual void tick(Simulator& sim) = 0;
    std::int64_t tick_ms = 100;
};

/// What of a server outlives its process.
struct Disk {
    std::uint64_t incarnation = 0;
    std::uint64_t plan_seq = 0;
    Digest plan;
    std::set<Digest> documents;
};

/// A server: a process with its Mesh object, a disk, and what is wrong with the machine.
struct Node {
    std::string id;
    std::string site;
    std::unique_ptr<mesh::Mesh> mesh;      ///< none = down
    std::unique_ptr<Adversary> adversary;  ///< none = honest
    Disk disk;
    std::uint64_t payload = 0;  ///< what its record says
    bool has_record = true;     ///< it signs one
    std::size_t roster = 0;     ///< which of the simulator's rosters it was given

    // What it was told, for tests.
    std::vector<mesh::Equivocation> equivocations;
    std::uint64_t jumps = 0;
    std::uint64_t plans_refused = 0;

    // Its process and machine. Times are the simulator's.
    std::int64_t started_ms = 0;
    std::int64_t wake_at_ms = 0;
    std::int64_t frozen_until_ms = 0;  ///< nothing happens before (SIGSTOP, swap, a busy host)
    std::int64_t lag_ms = 0;           ///< everything happens that much later
    std::int64_t lag_free_ms = 0;      ///< when what was delayed last is handled
    std::int64_t clock_ahead_ms = 0;   ///< its monotonic clock jumped forward
    std::size_t held = 0;              ///< frames that wait for it to go on
    /// Others may think it gone until then and for a grace period more.
    std::int64_t impaired_until_ms = 0;
    /// It may think others gone until then and for a grace period more.
    std::int64_t deaf_until_ms = 0;

    std::uint64_t frames_sent = 0;
    std::uint64_t bytes_sent = 0;
};

/// Sees everything that nodes do; used by the properties.
class Observer {
  public:
    virtual ~Observer() = default;
    virtual void started(std::size_t /*node*/, bool /*lost_disk*/) {}
    virtual void crashed(std::size_t /*node*/) {}
    virtual void roster_given(std::size_t /*node*/) {}
    virtual void state_changed(std::size_t /*observer*/, std::size_t /*subject*/,
                               mesh::State /*before*/, mesh::State /*after*/) {}
    virtual void record_signed(std::size_t /*owner*/, RecordVersion /*version*/,
                               const Bytes& /*bytes*/) {}
    virtual void record_received(std::size_t /*node*/, const mesh::RecordReceived& /*record*/) {}
    virtual void incarnation_stored(std::size_t /*node*/, std::uint64_t /*value*/) {}
    virtual void plan_in_force(std::size_t /*node*/, std::uint64_t /*before*/,
                               std::uint64_t /*seq*/) {}
    /// After each call of a node's mesh, when its effects were carried out.
    virtual void acted(std::size_t /*node*/) {}
    /// Once every virtual second.
    virtual void second() {}
};

}  // namespace clarity::sim
