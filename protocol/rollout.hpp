#pragma once

#include <map>
#include <string>
#include <vector>

#include "protocol/plan.hpp"
#include "protocol/record.hpp"

namespace clarity {

/// What one server last said of itself, and whether it can be heard now.
struct RecordSummary {
    bool alive = false;
    std::uint64_t plan_seq = 0;
    bool settled = false;
    bool failed = false;
    std::vector<ServiceStatus> services;
};

/// What a server may do with its services of one wave.
enum class Gate {
    go,    ///< its turn has come
    wait,  ///< somebody before it is not done, or too many are unreachable
    halt,  ///< more servers failed than the plan allows: nothing new is touched
    back,  ///< the same, and the plan asks to return to what ran before
};

struct GateDecision {
    Gate gate = Gate::wait;
    std::string reason;  ///< one line for people; empty for go
};

/// Order of a rollout across a site, decided by every server for itself from the plan and the
/// other servers' records alone. Pure.
///
/// Waves are the services' priorities, lower first. Within a wave the plan's order of servers
/// counts: the first `canary` alone, then `batch_size` at a time (0 = all the rest). A server's
/// turn comes when every server of an earlier group has the wave's services at this plan, running
/// or ended as they should. Failed servers count against max_failed, over the whole site;
/// unreachable ones that the turn would wait for count against max_unreachable: up to it they are
/// passed over, beyond it the rollout waits (it never fails because of an outage).
[[nodiscard]] GateDecision rollout_gate(const Plan& plan, const std::string& self,
                                        std::int32_t priority,
                                        const std::map<std::string, RecordSummary>& others);

/// Group of each server that has services of this priority: 0 is the canary where there is one.
[[nodiscard]] std::map<std::string, std::uint32_t> rollout_groups(const Plan& plan,
                                                                  std::int32_t priority);

}  // namespace clarity
