#include "protocol/rollout.hpp"

#include <algorithm>
#include <optional>

namespace clarity {
namespace {

enum class Progress { done, busy, failed };

const ServiceStatus* status_of(const RecordSummary& record, const std::string& service) {
    for (const auto& each : record.services) {
        if (each.name == service) return &each;
    }
    return nullptr;
}

bool has_wave(const ServerPlan& server, std::int32_t priority) {
    return std::any_of(server.services.begin(), server.services.end(),
                       [&](const Service& each) { return each.priority == priority; });
}

/// How far a server that can be heard is with one wave.
Progress progress_of(const Plan& plan, const ServerPlan& server, std::int32_t priority,
                     const RecordSummary& record) {
    if (record.plan_seq > plan.seq) return Progress::done;
    if (record.plan_seq < plan.seq) return Progress::busy;
    for (const auto& service : server.services) {
        if (service.priority != priority) continue;
        const auto* status = status_of(record, service.name);
        if (status == nullptr) return Progress::busy;
        if (status->state == ServiceState::failed) return Progress::failed;
        const bool there =
            status->plan_seq >= plan.seq &&
            (status->state == ServiceState::running || status->state == ServiceState::stopped);
        if (!there) return Progress::busy;
    }
    return Progress::done;
}

/// Whether a server of `wave` and `group` goes before (priority, own group).
struct Turn {
    std::int32_t priority = 0;
    std::uint32_t group = 0;
    auto operator<=>(const Turn&) const = default;
};

/// The last turn of a server that comes before `mine`; nothing when all of its come later.
std::vector<std::int32_t> waves_before(const ServerPlan& server, const Turn& mine,
                                       const std::map<std::string, std::uint32_t>& groups) {
    std::vector<std::int32_t> out;
    for (const auto& service : server.services) {
        const auto group = service.priority == mine.priority ? groups.at(server.server_id) : 0U;
        if (Turn{service.priority, group} < mine) out.push_back(service.priority);
    }
    return out;
}

std::optional<GateDecision> over_failed(const Plan& plan,
                                        const std::map<std::string, RecordSummary>& others) {
    std::uint32_t failed = 0;
    for (const auto& server : plan.servers) {
        const auto record = others.find(server.server_id);
        if (record != others.end() && record->second.plan_seq == plan.seq &&
            record->second.failed) {
            ++failed;
        }
    }
    if (failed <= plan.rollout.max_failed) return std::nullopt;
    return GateDecision{plan.rollout.auto_rollback ? Gate::back : Gate::halt,
                        fmt::format("the rollout stopped: {} server{} failed, {} allowed", failed,
                                    failed == 1 ? "" : "s", plan.rollout.max_failed)};
}

}  // namespace

std::map<std::string, std::uint32_t> rollout_groups(const Plan& plan, std::int32_t priority) {
    std::map<std::string, std::uint32_t> out;
    std::uint32_t position = 0;
    const auto canary = plan.rollout.canary;
    for (const auto& server : plan.servers) {
        if (!has_wave(server, priority)) continue;
        std::uint32_t group = 0;
        if (position >= canary) {
            const auto batch = plan.rollout.batch_size;
            group = (canary > 0 ? 1 : 0) + (batch == 0 ? 0 : (position - canary) / batch);
        }
        out.emplace(server.server_id, group);
        ++position;
    }
    return out;
}

GateDecision rollout_gate(const Plan& plan, const std::string& self, std::int32_t priority,
                          const std::map<std::string, RecordSummary>& others) {
    if (auto stopped = over_failed(plan, others)) return *stopped;
    const auto groups = rollout_groups(plan, priority);
    const auto own = groups.find(self);
    if (own == groups.end()) return {Gate::wait, "the plan has no such service on this server"};
    const Turn mine{priority, own->second};
    std::uint32_t unreachable = 0;
    std::string busy;
    for (const auto& server : plan.servers) {
        if (server.server_id == self) continue;
        const auto waves = waves_before(server, mine, groups);
        if (waves.empty()) continue;
        const auto record = others.find(server.server_id);
        const bool known = record != others.end();
        const bool done =
            known && std::all_of(waves.begin(), waves.end(), [&](auto wave) {
                return progress_of(plan, server, wave, record->second) != Progress::busy;
            });
        if (done) continue;  // what it did stays true when it is lost afterwards
        if (!known || !record->second.alive) ++unreachable;
        else if (busy.empty()) busy = server.server_id;
    }
    if (!busy.empty()) return {Gate::wait, "waits for server " + busy + ", whose turn is earlier"};
    if (unreachable > plan.rollout.max_unreachable) {
        return {Gate::wait, fmt::format("waits: {} server{} whose turn is earlier cannot be "
                                        "reached, {} allowed",
                                        unreachable, unreachable == 1 ? "" : "s",
                                        plan.rollout.max_unreachable)};
    }
    return {Gate::go, {}};
}

}  // namespace clarity
