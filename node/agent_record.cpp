#include <algorithm>
#include <chrono>

#include "node/agent_impl.hpp"
#include "protocol/log/log.hpp"

namespace clarity {
namespace {

/// At most so often is the record signed again: 5 times a second.
constexpr std::int64_t sign_every_ms = 200;

}  // namespace

/// Signs at once where the last time is long enough ago, else a little later.
void Agent::Impl::touch_record() {
    if (record_pending || stopping || !mesh || !workloads || !uplink) return;
    record_pending = true;
    const auto wait = signed_at_ms < 0
                          ? 0
                          : std::clamp<std::int64_t>(signed_at_ms + sign_every_ms - mesh->now_ms(),
                                                     0, sign_every_ms);
    record_timer.expires_after(std::chrono::milliseconds(wait));
    record_timer.async_wait([self = weak_from_this()](const auto& error) {
        const auto me = self.lock();
        if (error || !me || me->stopping) return;
        me->record_pending = false;
        me->sign_record();
    });
}

void Agent::Impl::sign_record() {
    const auto version = mesh->next_version();
    auto envelope = own_record.sign(facts(), version, unix_ms());
    if (!envelope) return;
    signed_at_ms = mesh->now_ms();
    mesh->set_own_record(version, std::move(*envelope));
}

Record Agent::Impl::facts() const {
    Record out;
    out.roster_epoch = trust.roster().epoch;
    out.plan_seq = trust.plan_seq();
    if (trust.plan() != nullptr) out.plan_digest = trust.plan_digest();
    out.reaches_coordinator = uplink->reaches_coordinator();
    out.endpoints = own_endpoints;
    out.refusals.assign(policy.refusals().begin(), policy.refusals().end());
    workloads->describe(out);
    const auto* plan = trust.plan();
    if (plan != nullptr && !own_manifests_here(*plan, identity.server_id, trust.manifests())) {
        // The engine still speaks of the plan before.
        out.plan_settled = false;
        out.plan_failed = false;
        out.notices.push_back(fmt::format("plan {} waits for {} manifests", plan->seq,
                                          trust.missing_manifests().size()));
    }
    if (!was_member) out.notices.push_back("this server is not in the site's roster (revoked)");
    return out;
}

Json Agent::Impl::health() const {
    const auto members = mesh->mesh().members();
    const auto alive = std::count_if(members.begin(), members.end(), [&](const auto& each) {
        return each.id == identity.server_id || each.state == mesh::State::alive;
    });
    return Json{{"status", "ok"},
                {"version", CLARITY_VERSION},
                {"server", identity.hostname},
                {"site", identity.site},
                {"plan_seq", trust.plan_seq()},
                {"members_alive", alive},
                {"reaches_coordinator", uplink->reaches_coordinator()}};
}

}  // namespace clarity
