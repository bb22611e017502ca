#include "protocol/lan_announcement.hpp"

#include "protocol/codec.hpp"
#include "protocol/endpoint.hpp"

namespace clarity {
namespace {

constexpr std::size_t values_max = 64;

}  // namespace

template <class A>
void fields(A& a, LanAnnouncement& l) {
    a.text("site", l.site);
    a.text("server", l.server_id);
    a.text("mesh", l.endpoints.mesh);
    a.text("swarm", l.endpoints.swarm);
    a.value("incarnation", l.number.incarnation);
    a.value("seq", l.number.seq);
}

Bytes LanAnnouncement::seal(const SigningKey& key) const {
    auto envelope = Envelope::make(payload_type::lan_announcement, codec::encode(*this));
    envelope.sign(key);
    return envelope.encode();
}

Result<ClaimedAnnouncement> read_lan_announcement(std::string_view datagram) {
    if (datagram.size() > lan_announcement_max_bytes) {
        return fail(Errc::invalid, "announcement of {} bytes is over the limit of {}",
                    datagram.size(), lan_announcement_max_bytes);
    }
    ClaimedAnnouncement out;
    CLARITY_TRY(out.envelope, Envelope::decode(datagram));
    CLARITY_TRY(out.claim, codec::decode<LanAnnouncement>("announcement", out.envelope.payload,
                                                          lan_announcement_max_bytes, values_max));
    const auto& at = out.claim.endpoints;
    if (!is_mesh_endpoint(at.mesh) || (!at.swarm.empty() && !is_swarm_endpoint(at.swarm))) {
        return fail(Errc::invalid, "announcement of {} without an endpoint that can be used",
                    out.claim.server_id);
    }
    return out;
}

Result<void> verify_lan_announcement(const Roster& roster, const ClaimedAnnouncement& claimed) {
    const auto& claim = claimed.claim;
    if (claim.site != roster.site) {
        return fail(Errc::bad_signature, "announcement is of site {}, not {}", claim.site,
                    roster.site);
    }
    const Member* member = roster.find(claim.server_id);
    if (member == nullptr) {
        return fail(Errc::bad_signature, "announcement of {}, which is not in the roster",
                    claim.server_id);
    }
    return claimed.envelope.verify(payload_type::lan_announcement, Role{{member->key}, 1});
}

}  // namespace clarity
