#include "node/site_snapshot.hpp"

#include <algorithm>

namespace clarity {
namespace {

constexpr std::int64_t unheard_counts_ms = 3000;

/// Of a member's last sign of life; -1 = never.
std::int64_t age_of(const SiteSnapshot& site, const mesh::MemberView& view) {
    if (view.id == site.self) return 0;
    if (view.last_heard_ms < 0) return -1;
    return std::max<std::int64_t>(0, site.now_ms - view.last_heard_ms);
}

const Record* record_of(const SiteSnapshot& site, const std::string& server_id) {
    const auto at = site.records->find(server_id);
    return at == site.records->end() ? nullptr : &at->second;
}

bool is_alive(const SiteSnapshot& site, const mesh::MemberView& view) {
    // A suspect may be late, no more: nothing is taken over from it yet.
    return view.id == site.self || view.state == mesh::State::alive ||
           view.state == mesh::State::suspect;
}

}  // namespace

std::vector<control::View> report_views(const SiteSnapshot& site) {
    std::vector<control::View> out;
    for (const auto& view : site.members) {
        const bool self = view.id == site.self;
        out.push_back({view.id,
                       self ? "alive" : std::string(mesh::name_of(view.state)),
                       age_of(site, view),
                       self ? site.self : view.witness,
                       {},
                       {}});
    }
    return out;
}

SiteClaims site_claims(const SiteSnapshot& site) {
    SiteClaims out;
    for (const auto& view : site.members) {
        if (view.id == site.self) continue;
        auto& claims = out.servers[view.id];
        claims.alive = is_alive(site, view);
        const auto* record = record_of(site, view.id);
        claims.heard = record != nullptr || (!claims.alive && view.state != mesh::State::unknown);
        if (record != nullptr) {
            claims.holdings = record->holdings;
            claims.claims = record->claims;
            claims.passes = record->passes;
            const auto wan = record->wan.value_or(WanReport{});
            claims.wan_closed = wan.state != "open";
            claims.wan_rate_bytes_s = wan.rate_bytes_s;
        }
    }
    return out;
}

std::map<std::string, RecordSummary> record_summaries(const SiteSnapshot& site) {
    std::map<std::string, RecordSummary> out;
    for (const auto& view : site.members) {
        auto& row = out[view.id];
        row.alive = is_alive(site, view);
        if (const auto* record = record_of(site, view.id)) {
            row.plan_seq = record->plan_seq;
            row.settled = record->plan_settled;
            row.failed = record->plan_failed;
            row.services = record->services;
        }
    }
    return out;
}

std::vector<UplinkCandidate> uplink_candidates(const SiteSnapshot& site) {
    std::vector<UplinkCandidate> out;
    for (const auto& view : site.members) {
        const auto* record = record_of(site, view.id);
        // Here a suspect does not count: one connection too many for a while is cheap. Just after
        // a start, who was not heard yet does, or every server of the site would connect.
        const bool alive = view.id == site.self || view.state == mesh::State::alive ||
                           (view.state == mesh::State::unknown && site.now_ms < unheard_counts_ms);
        out.push_back({view.id, alive, record != nullptr && record->reaches_coordinator});
    }
    return out;
}

}  // namespace clarity
