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

std::string Agent::Impl::metrics_text() {
    const auto gauge = [&](const char* name, const char* help, auto value,
                           const Metrics::Labels& labels = {}) {
        metrics.set(std::string("orchestrix_agent_") + name, help, static_cast<double>(value),
                    labels);
    };
    const auto total = [&](const char* name, const char* help, auto value) {
        metrics.rise_to(fmt::format("orchestrix_agent_{}_total", name), help,
                        static_cast<double>(value));
    };
    std::map<mesh::State, int> states;
    for (const auto& member : mesh->mesh().members()) {
        ++states[member.id == identity.server_id ? mesh::State::alive : member.state];
    }
    for (const auto state : {mesh::State::alive, mesh::State::suspect, mesh::State::dead,
                             mesh::State::left, mesh::State::unknown}) {
        gauge("members", "Servers of the site as this one sees them", states[state],
              {{"state", std::string(mesh::name_of(state))}});
    }
    std::map<ServiceState, int> services;
    auto record = facts();
    for (const auto& service : record.services) ++services[service.state];
    for (const auto state :
         {ServiceState::waiting, ServiceState::downloading, ServiceState::starting,
          ServiceState::running, ServiceState::stopped, ServiceState::failed}) {
        gauge("services", "Services of this server by state", services[state],
              {{"state", std::string(name_of(state))}});
    }
    gauge("plan_seq", "Highest plan accepted", trust.plan_seq());
    gauge("plan_settled", "1 when every service is where the plan wants it, or has failed",
          record.plan_settled);
    gauge("roster_epoch", "Roster in force", trust.roster().epoch);
    gauge("refusals", "Documents refused lately", policy.refusals().size());
    gauge("reaches_coordinator", "1 when this server holds a connection to the coordinator",
          uplink->reaches_coordinator());
    const auto totals = workloads->totals();
    gauge("wan_bytes", "Bytes of the artifacts held that this server pulled from origins",
          totals.wan_bytes);
    gauge("lan_bytes", "Bytes of the artifacts held that came from peers", totals.lan_bytes);
    gauge("cache_bytes", "Bytes in the artifact cache", totals.cache_bytes);
    gauge("swarm_connections", "Peers connected in the swarm", totals.swarm_connections);
    const auto counts = mesh->mesh().counters();
    total("mesh_frames_sent", "Mesh frames sent", counts.frames_sent);
    total("mesh_bytes_sent", "Mesh bytes sent", counts.bytes_sent);
    total("mesh_frames_received", "Mesh frames received", counts.frames_received);
    total("mesh_records_received", "Newer records of others taken", counts.records_received);
    total("mesh_records_refused", "Records refused", counts.records_refused);
    const auto& wire = net->counters();
    total(
        "wire_dropped", "Frames dropped: full queue, slow peer, unknown key, malformed",
        wire.dropped_full + wire.dropped_slow + wire.dropped_unauthorised + wire.dropped_malformed);
    total("wire_connections_cut", "Connections cut: revoked key or endless message",
          wire.connections_cut.load());
    total("wire_reconnects", "Sockets made anew after a refusal", wire.reconnects.load());
    return metrics.text();
}

}  // namespace clarity
