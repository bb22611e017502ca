#include "protocol/roster.hpp"

#include <set>

#include "protocol/codec.hpp"

namespace clarity {
namespace {
constexpr std::size_t id_max = 64;
constexpr std::size_t members_max = 20000;
}  // namespace

template <class A>
void fields(A& a, Member& m) {
    a.text("server", m.server_id);
    a.text("hostname", m.hostname);
    a.value("key", m.key);
    a.text("mesh", m.mesh_endpoint);
    a.text("swarm", m.swarm_endpoint);
}

template <class A>
void fields(A& a, CoordinatorAddress& c) {
    a.text("control", c.control_endpoint);
    a.value("curve_key", c.curve_key);
    a.text("rest", c.rest_url);
}

template <class A>
void fields(A& a, Roster& r) {
    a.text("site", r.site);
    a.value("epoch", r.epoch);
    a.value("members", r.members);
    a.value("coordinators", r.coordinators);
    a.optional("observers", r.observers);
    a.text("ca", r.ca_pem);
}

const Member* Roster::find(std::string_view server_id) const {
    for (const auto& member : members) {
        if (member.server_id == server_id) return &member;
    }
    return nullptr;
}

Bytes Roster::encode() const {
    return codec::encode(*this);
}

Result<Roster> Roster::decode(std::string_view payload) {
    CLARITY_TRY(auto out, codec::decode<Roster>("roster", payload));
    if (out.site.empty() || out.site.size() > 2 * id_max + 1) {
        return fail(Errc::invalid, "roster has no usable site name");
    }
    if (out.members.size() > members_max) {
        return fail(Errc::invalid, "roster has more than {} members", members_max);
    }
    std::set<std::string> ids;
    std::set<PublicKey> keys;
    for (const auto& member : out.members) {
        if (member.server_id.empty() || member.server_id.size() > id_max ||
            !ids.insert(member.server_id).second || !keys.insert(member.key).second) {
            return fail(Errc::invalid, "roster: server id or key \"{}\" is empty, long or twice",
                        member.server_id);
        }
    }
    return out;
}

Result<Roster> verify_roster(const Root& root, std::string_view site, const Envelope& envelope) {
    CLARITY_CHECK(envelope.verify(payload_type::roster, *root.find(role::coordinator)));
    CLARITY_TRY(auto out, Roster::decode(envelope.payload));
    if (out.site != site) {
        return fail(Errc::bad_signature, "roster is for site {}, not {}", out.site, site);
    }
    return out;
}

}  // namespace clarity
