#include "protocol/record.hpp"

#include "protocol/codec.hpp"
#include "protocol/endpoint.hpp"

namespace clarity {

template <>
struct codec::EnumNames<ServiceState> {
    using enum ServiceState;
    static constexpr std::pair<ServiceState, const char*> names[] = {
        {waiting, "waiting"}, {downloading, "downloading"}, {starting, "starting"},
        {running, "running"}, {stopped, "stopped"},         {failed, "failed"}};
};
template <>
struct codec::EnumNames<Health> {
    using enum Health;
    static constexpr std::pair<Health, const char*> names[] = {
        {unknown, "unknown"}, {healthy, "healthy"}, {unhealthy, "unhealthy"}};
};

std::string_view name_of(ServiceState state) {
    return codec::enum_name(state);
}
std::string_view name_of(Health health) {
    return codec::enum_name(health);
}

template <class A>
void fields(A& a, ServiceStatus& s) {
    a.text("name", s.name);
    a.text("version", s.version);
    a.value("state", s.state);
    a.value("health", s.health);
    a.value("since", s.since_unix_ms);
    a.value("plan", s.plan_seq);
    a.value("restarts", s.restarts);
    a.optional("detail", s.detail);
    a.optional("drift", s.drift);
}
template <class A>
void fields(A& a, WanParts& w) {
    a.value("resumed", w.resumed);
    a.value("duplicate", w.duplicate);
    a.value("repaired", w.repaired);
}
template <class A>
void fields(A& a, Holding& h) {
    a.value("sha256", h.sha256);
    a.text("artifact", h.artifact);
    a.text("version", h.version);
    a.value("size", h.size_bytes);
    a.value("pieces", h.pieces);
    a.value("have", h.pieces_have);
    a.value("complete", h.complete);
    a.value("wan", h.wan_bytes);
    a.value("lan", h.lan_bytes);
    a.optional("error", h.error);
    a.sparse("by", h.wan_parts);
}
template <class A>
void fields(A& a, FetchClaim& c) {
    a.value("sha256", c.sha256);
    a.value("since", c.since_unix_ms);
    a.value("fetched", c.pieces_fetched);
    a.value("rate", c.rate_bytes_s);
}
template <class A>
void fields(A& a, FetchPass& p) {
    a.value("sha256", p.sha256);
    a.text("reason", p.reason);
    a.optional("willing", p.willing);
    a.optional("until", p.until_unix_ms);
}
template <class A>
void fields(A& a, WanReport& w) {
    a.text("state", w.state);
    a.optional("until", w.until_unix_ms);
    a.optional("spent", w.spent_bytes);
    a.optional("budget", w.budget_bytes);
    a.optional("rate", w.rate_bytes_s);
}
template <class A>
void fields(A& a, Refusal& r) {
    a.text("document", r.document);
    a.text("digest", r.digest);
    a.value("seq", r.seq);
    a.text("code", r.code);
    a.text("message", r.message);
    a.value("at", r.at_unix_ms);
}
template <class A>
void fields(A& a, RecordVersion& v) {
    a.value("incarnation", v.incarnation);
    a.value("seq", v.seq);
}
template <class A>
void fields(A& a, Record& r) {
    a.text("site", r.site);
    a.text("server", r.server_id);
    a.value("version", r.version);
    a.text("agent", r.agent_version);
    a.value("started", r.started_unix_ms);
    a.value("updated", r.updated_unix_ms);
    a.value("roster_epoch", r.roster_epoch);
    a.value("plan_seq", r.plan_seq);
    a.value("plan_digest", r.plan_digest);
    a.value("reaches_coordinator", r.reaches_coordinator);
    a.optional("plan_settled", r.plan_settled);
    a.optional("plan_failed", r.plan_failed);
    a.value("services", r.services);
    a.value("holdings", r.holdings);
    a.value("claims", r.claims);
    a.optional("refusals", r.refusals);
    a.optional("notices", r.notices);
    a.optional("mesh", r.endpoints.mesh);
    a.optional("swarm", r.endpoints.swarm);
    a.sparse("passes", r.passes);
    a.sparse("wan", r.wan);
    a.sparse("kept", r.kept);
    a.sparse("pinned", r.pinned);
}
template <class A>
void fields(A& a, RecordHead& h) {
    a.text("site", h.site);
    a.text("server", h.server_id);
    a.value("version", h.version);
}
template <class A>
void fields(A& a, Endpoints& e) {
    a.optional("mesh", e.mesh);
    a.optional("swarm", e.swarm);
}

Bytes Record::encode() const {
    return codec::encode(*this);
}

Result<Record> Record::decode(std::string_view payload) {
    return codec::decode<Record>("record", payload, record_max_bytes);
}

Result<RecordHead> RecordHead::decode(std::string_view payload) {
    return codec::decode<RecordHead>("record", payload, record_max_bytes);
}

Result<RecordHead> verify_record_head(const Roster& roster, const Envelope& envelope) {
    // The claimed owner decides which key must have signed; nothing else of it is used before.
    CLARITY_TRY(auto out, RecordHead::decode(envelope.payload));
    const Member* member = roster.find(out.server_id);
    if (member == nullptr) {
        return fail(Errc::bad_signature, "record of {}, which is not in the roster", out.server_id);
    }
    CLARITY_CHECK(envelope.verify(payload_type::record, Role{{member->key}, 1}));
    if (out.site != roster.site) {
        return fail(Errc::bad_signature, "record is of site {}, not {}", out.site, roster.site);
    }
    return out;
}

Endpoints endpoints_of(std::string_view payload) {
    auto out = codec::decode<Endpoints>("record", payload, record_max_bytes).value_or(Endpoints{});
    if (!is_mesh_endpoint(out.mesh)) out.mesh.clear();
    if (!is_swarm_endpoint(out.swarm)) out.swarm.clear();
    return out;
}

Result<Record> verify_record(const Roster& roster, const Envelope& envelope) {
    CLARITY_CHECK(verify_record_head(roster, envelope));
    return Record::decode(envelope.payload);
}

}  // namespace clarity
