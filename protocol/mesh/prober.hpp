#pragma once

#include "protocol/mesh/membership.hpp"

namespace clarity::mesh {

/// Finds out who is gone: probes one active peer after the other (direct, then again and through
/// helpers), with Lifeguard's local health: whoever is late or deaf itself asks more slowly and
/// accuses later. Whoever hears that a neighbour of its own is suspected probes it at once, and so
/// becomes an independent accuser or a witness. Also keeps trying members that are not alive: fast
/// after a start, then for ever, now and then (heal).
class Prober {
  public:
    /// `root()`: what pings and acks say of all that we hold.
    Prober(Outbox& outbox, Membership& members, std::function<std::uint64_t()> root);

    /// Starts its timers; the roster may have changed.
    void members_changed();
    /// Probes this member now: a hint.
    void probe_now(Index target);
    /// As probe_now(), if we are one of those who watch it.
    void confirm(Index suspect);
    /// Pings this member without a consequence, a few times a second at most.
    void ask(Index member);
    void take_ping(Index from, std::uint64_t sequence);
    void take_ping_request(Index from, MemberKey target, std::uint64_t sequence);
    void take_ack(Index from, std::uint64_t sequence);
    void take_nack(Index from, std::uint64_t sequence);
    /// We slept: what we waited for is void.
    void woke_up();
    void refuted() { worse(); }
    void on_time();
    [[nodiscard]] std::int64_t deadline() const;
    [[nodiscard]] std::uint32_t local_health() const { return health_; }

  private:
    struct Probe {
        MemberKey target = 0;
        std::uint64_t sequence = 0;
        std::int64_t repeat_at = 0;  // the next direct ping
        std::int64_t ends_at = 0;
        bool asked_helpers = false;
        std::vector<MemberKey> helpers;
        std::uint32_t nacks = 0;
        std::uint32_t pings = 1;  // direct ones
    };
    /// A ping on behalf of another member.
    struct Errand {
        MemberKey target = 0;
        MemberKey asker = 0;
        std::uint64_t asker_sequence = 0;
        std::uint64_t sequence = 0;
        std::int64_t repeat_at = 0;
        std::int64_t nack_at = 0;
    };
    Outbox& out_;
    Membership& members_;
    std::function<std::uint64_t()> root_;
    std::uint32_t health_ = 0;
    double effort_ = 1;  // pings until an answer came, of those that did answer: a moving average
    std::uint64_t sequence_ = 0;
    std::array<std::uint64_t, 16> failed_{};  // sequences of probes that failed lately
    std::size_t failed_next_ = 0;
    std::vector<Probe> probes_;
    std::vector<Errand> errands_;
    std::vector<MemberKey> round_;  // active peers still to be probed in this round, shuffled
    std::int64_t probe_at_ = never;
    std::int64_t heal_at_ = never;
    std::int64_t boot_at_ = never;
    std::uint32_t boot_tries_ = 0;
    std::int64_t asked_second_ = -1;
    std::uint32_t asked_ = 0;

    void learn_effort(std::uint32_t pings);
    void better() { health_ = health_ == 0 ? 0 : health_ - 1; }
    void worse(std::uint32_t by = 1);
    [[nodiscard]] std::int64_t scaled(std::int64_t ms) const { return ms * (health_ + 1); }
    void ping(Index to, std::uint64_t sequence);
    void tick();
    [[nodiscard]] std::optional<Index> next_in_round();
    void repeat(Probe& probe);
    void failed(const Probe& probe);
    void run_probes();
    void run_errands();
    void boot();
    void heal();
};

}  // namespace clarity::mesh
