#include "node/site_view.hpp"

#include <algorithm>

namespace clarity {
namespace {

std::string hostname_of(const Roster& roster, const std::string& server_id) {
    const Member* member = roster.find(server_id);
    return member == nullptr ? server_id : member->hostname;
}

ServerView server_view(const SiteViewSources& sources, const Member& member,
                       const std::map<std::string, mesh::MemberView>& seen) {
    ServerView out;
    out.member = member;
    const auto record = sources.book.records().find(member.server_id);
    if (record != sources.book.records().end()) out.record = record->second;
    out.newer_format = sources.book.newer().contains(member.server_id);
    out.mesh_endpoint = sources.book.endpoints(member.server_id).mesh;
    if (member.server_id == sources.identity.server_id) {
        out.state = "alive";
        out.age_ms = 0;
        out.witness = member.hostname;
        return out;
    }
    const auto view = seen.find(member.server_id);
    if (view == seen.end()) return out;
    out.state = mesh::name_of(view->second.state);
    if (view->second.last_heard_ms >= 0) {
        out.age_ms = std::max<std::int64_t>(0, sources.mesh_now_ms - view->second.last_heard_ms);
        out.witness = hostname_of(sources.trust.roster(), view->second.witness);
    }
    return out;
}

}  // namespace

SiteView site_view_of(const SiteViewSources& sources) {
    SiteView out;
    out.site = sources.identity.site;
    out.answered_by = sources.identity.hostname;
    if (const Plan* plan = sources.trust.plan()) {
        out.plan_seq = plan->seq;
        out.plan_digest = sources.trust.plan_digest();
        out.environment = name_of(plan->environment);
    }
    if (const Beacon* beacon = sources.trust.beacon()) {
        out.freshness_ms = std::max<std::int64_t>(0, sources.now_unix_ms - beacon->at_unix_ms);
    }
    std::map<std::string, mesh::MemberView> seen;
    for (auto& view : sources.mesh.members()) seen[view.id] = view;
    for (const auto& member : sources.trust.roster().members) {
        out.servers.push_back(server_view(sources, member, seen));
    }
    std::sort(out.servers.begin(), out.servers.end(),
              [](const auto& a, const auto& b) { return a.member.hostname < b.member.hostname; });
    return out;
}

}  // namespace clarity
