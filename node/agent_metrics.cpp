#include "node/agent_impl.hpp"

namespace clarity {
namespace {

constexpr const char* prefix = "orchestrix_agent_";

struct Gauges {
    Metrics& metrics;
    template <class T>
    void operator()(const char* name, const char* help, T value,
                    const Metrics::Labels& labels = {}) const {
        metrics.set(std::string(prefix) + name, help, static_cast<double>(value), labels);
    }
};

struct Totals {
    Metrics& metrics;
    template <class T>
    void operator()(const char* name, const char* help, T value,
                    const Metrics::Labels& labels = {}) const {
        metrics.rise_to(fmt::format("{}{}_total", prefix, name), help, static_cast<double>(value),
                        labels);
    }
};

}  // namespace

std::string Agent::Impl::metrics_text() {
    const Gauges gauge{metrics};
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
    const auto& parts = totals.wan_parts;
    for (const auto& [reason, bytes] : std::initializer_list<std::pair<const char*, std::uint64_t>>{
             {"first", parts.first(totals.wan_bytes)},
             {"resumed", parts.resumed},
             {"duplicate", parts.duplicate},
             {"repaired", parts.repaired}}) {
        gauge("wan_pulled_bytes", "The same by why they were pulled", bytes, {{"reason", reason}});
    }
    gauge("fetches_passed", "Artifacts left to the next server in rank, each time",
          totals.fetches.passes);
    gauge("lan_bytes", "Bytes of the artifacts held that came from peers", totals.lan_bytes);
    gauge("delta_bytes", "Bytes of artifacts taken from other versions here, not from origins",
          totals.fetches.local_bytes);
    gauge("bases_borrowed", "Versions got from peers first, to pull less of the next one",
          totals.fetches.borrowed);
    gauge("fetches_delta", "Pulls from origins chunk by chunk", totals.fetches.delta_fetches);
    gauge("fetches_whole", "Pulls of whole files, where chunks would not pay",
          totals.fetches.whole_fetches);
    cache_metrics(totals);
    gauge("swarm_connections", "Peers connected in the swarm", totals.swarm_connections);
    for (const auto& [peer, times] : totals.swarm_offenders) {
        Totals{metrics}("swarm_offences", "Times a peer was caught sending wrong pieces", times,
                        {{"peer", peer}});
    }
    network_metrics();
    return metrics.text();
}

void Agent::Impl::cache_metrics(const WorkloadTotals& totals) {
    const auto& cache = totals.cache;
    const Gauges gauge{metrics};
    const Totals total{metrics};
    gauge("cache_bytes", "Bytes in the artifact cache", cache.size_bytes);
    gauge("cache_limit_bytes", "Its limit; 0 = the disk alone", cache.limit_bytes);
    gauge("cache_pinned_bytes", "Of its bytes, those that are pinned", cache.pinned_bytes);
    gauge("cache_artifacts", "Artifacts in the cache, whole or in part", cache.artifacts);
    total("cache_evicted", "Artifacts dropped for room", cache.evicted);
    total("cache_evicted_bytes", "Bytes dropped for room", cache.evicted_bytes);
    total("cache_verified_bytes", "Bytes read again and found right", totals.scrub.verified_bytes);
    total("cache_damaged", "Artifacts found damaged on the disk", totals.scrub.damaged);
    total("cache_repaired", "Of these, whole again", totals.scrub.repaired);
}

/// The mesh and its connections.
void Agent::Impl::network_metrics() {
    const Gauges gauge{metrics};
    const Totals total{metrics};
    const auto counts = mesh->mesh().counters();
    total("mesh_frames_sent", "Mesh frames sent", counts.frames_sent);
    total("mesh_bytes_sent", "Mesh bytes sent", counts.bytes_sent);
    for (std::size_t type = 0; type < mesh::frame_type_count; ++type) {
        const Metrics::Labels label{{"type", std::string(mesh::frame_type_name(type))}};
        const auto& sent = counts.sent_by_type[type];
        total("mesh_type_frames_sent", "Mesh frames sent, by type", sent.frames, label);
        total("mesh_type_bytes_sent", "Mesh bytes sent, by type", sent.bytes, label);
    }
    total("mesh_frames_received", "Mesh frames received", counts.frames_received);
    total("mesh_records_received", "Newer records of others taken", counts.records_received);
    if (const auto at_ms = mesh->record_received_ms(); at_ms >= 0) {
        gauge("mesh_record_received_timestamp_seconds",
              "When the newest record of another server was taken, Unix time",
              static_cast<double>(unix_ms() - mesh->now_ms() + at_ms) / 1000);
    }
    total("mesh_records_refused", "Records refused", counts.records_refused);
    gauge("mesh_incarnation", "Of this server in the mesh; rises with every start",
          mesh->mesh().incarnation());
    gauge("mesh_connections", "Open to other servers of the site, whoever dialled",
          mesh->connections());
    const auto& links = mesh->link_counters();
    total("mesh_dials", "Connections tried to other servers", links.dials);
    total("mesh_dials_failed", "Of these, nobody answered in time", links.dials_failed);
    total("mesh_dials_refused", "Of these, somebody else answered or did not let us in",
          links.refused);
    total("mesh_duplicates_closed", "Second connections of a pair closed", links.duplicates);
    total("mesh_idle_closed", "Connections closed that nobody used", links.idle_closed);
    total("mesh_dead_closed", "Servers held dead whose connections were closed", links.dead_closed);
    total("mesh_frames_unsent", "Frames dropped for want of a connection", links.unsent);
    transport_metrics();
}

/// What is below and beside the mesh's own connections.
void Agent::Impl::transport_metrics() {
    const Gauges gauge{metrics};
    const Totals total{metrics};
    if (beacon) {
        const auto& lan = beacon->counters();
        total("lan_beacons_sent", "Announcements to the LAN", lan.sent);
        total("lan_beacons_failed", "Announcements that could not be sent", lan.send_failed);
        total("lan_beacons_received", "Announcements of anybody that came in", lan.received);
        total("lan_beacons_accepted", "Of these, newer ones of members", lan.accepted);
        total("lan_beacons_refused", "Of these, not a member's, not newer, broken, or too many",
              lan.foreign + lan.replayed + lan.malformed + lan.forged + lan.limited);
    }
    const auto& wire = net->counters();
    total(
        "wire_dropped", "Frames dropped: full queue, slow peer, unknown key, malformed",
        wire.dropped_full + wire.dropped_slow + wire.dropped_unauthorised + wire.dropped_malformed);
    total("wire_connections_cut", "Connections cut: revoked key, or over a limit of the transport",
          wire.connections_cut.load());
    total("wire_greetings_refused", "Connections of another site or version, or that said neither",
          wire.greetings_refused.load());
    total("wire_floods", "Servers cut and kept out for a while for flooding", wire.floods.load());
    total("wire_handshakes_refused", "Connections refused: key not known",
          wire.handshakes_refused.load());
    total("wire_handshakes_limited", "Connections refused for now: too many of one key",
          wire.handshakes_limited.load());
    total("wire_reconnects", "Connections tried anew", wire.reconnects.load());
    for (const auto& [peer, offence] : net->offences()) {
        const Metrics::Labels label{{"peer", peer}};
        total("wire_offence_frames_dropped", "Frames over their share, by who sent them",
              offence.frames_dropped, label);
        total("wire_offence_connections_cut",
              "Connections cut for what they did, by whose they were", offence.connections_cut,
              label);
        total("wire_offence_handshakes_refused", "Handshakes over their budget, by whose key",
              offence.handshakes_refused, label);
    }
    const auto& up = uplink->counters();
    gauge("uplink_primary", "1 when this server speaks for its site to the coordinator",
          uplink_decision.is_primary());
    total("uplink_bytes_sent", "Bytes of control frames to coordinators", up.bytes_out);
    total("uplink_bytes_received", "Bytes of control frames from coordinators", up.bytes_in);
    total("uplink_reports", "Reports sent to coordinators", up.reports);
    total("uplink_resyncs", "Reports that found the coordinator with another view", up.resyncs);
    total("uplink_silences", "Connections given up since the coordinator did not answer",
          up.silences);
    total("uplink_changes", "Times that this server's part as an uplink changed", up.changes);
}

}  // namespace clarity
