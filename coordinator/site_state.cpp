#include "coordinator/site_state.hpp"

#include <algorithm>
#include <array>

namespace clarity::coordinator {
namespace {

/// Another uplink's newer evidence stands against an older one's for this long.
constexpr std::int64_t evidence_kept_ms = 15'000;

bool is_state(const std::string& text) {
    constexpr std::array states{"alive", "suspect", "dead", "left", "unknown"};
    return std::find(states.begin(), states.end(), text) != states.end();
}

std::string hostname_of(const Roster& roster, const std::string& server_id) {
    const auto* member = roster.find(server_id);
    return member != nullptr ? member->hostname : server_id;
}

}  // namespace

SiteState::Outcome SiteState::report(std::int64_t now_ms, const Roster& roster,
                                     const std::string& from,
                                     const std::vector<SightedServer>& servers) {
    Outcome out;
    Site& site = sites_[roster.site];
    site.reported_ms = now_ms;
    for (const auto& each : servers) {
        const auto* member = roster.find(each.server_id);
        if (member == nullptr || !is_state(each.state)) {
            ++out.refused;
            continue;
        }
        Seen& seen = site.servers[each.server_id];
        // A replaced server counts its record's versions from the start again.
        if (seen.key != member->key) seen = Seen{};
        seen.key = member->key;
        const std::int64_t age_ms = std::max<std::int64_t>(each.age_ms, 0);
        const std::int64_t heard_ms = each.age_ms < 0 ? -1 : now_ms - age_ms;
        if (heard_ms >= seen.heard_ms || now_ms - seen.reported_ms > evidence_kept_ms) {
            seen.state = each.state;
            seen.heard_ms = heard_ms;
            seen.reported_ms = now_ms;
            seen.witness = each.witness.empty() ? from : each.witness;
        }
        if (each.record.empty()) continue;
        if (each.record.size() > record_max_bytes) {
            ++out.refused;
            continue;
        }
        const auto envelope = Envelope::decode(each.record);
        auto record = envelope ? verify_record(roster, *envelope)
                               : Result<Record>(tl::unexpected(envelope.error()));
        if (!record || record->server_id != each.server_id) {
            ++out.refused;
        } else if (!seen.record || seen.record->version < record->version) {
            seen.record = *std::move(record);
            ++out.records;
        }
    }
    return out;
}

const Record* SiteState::record(const std::string& site, const std::string& server) const {
    const auto at = sites_.find(site);
    if (at == sites_.end()) return nullptr;
    const auto seen = at->second.servers.find(server);
    if (seen == at->second.servers.end() || !seen->second.record) return nullptr;
    return &*seen->second.record;
}

SiteState::Numbers SiteState::highest(const std::string& site) const {
    Numbers out;
    const auto at = sites_.find(site);
    if (at == sites_.end()) return out;
    for (const auto& [id, seen] : at->second.servers) {
        if (!seen.record) continue;
        out.plan_seq = std::max(out.plan_seq, seen.record->plan_seq);
        out.roster_epoch = std::max(out.roster_epoch, seen.record->roster_epoch);
    }
    return out;
}

std::vector<ServerView> SiteState::servers(std::int64_t now_ms, const Roster& roster) const {
    std::vector<ServerView> out;
    const auto at = sites_.find(roster.site);
    const auto silence = silence_of(now_ms, roster.site);
    for (const auto& member : roster.members) {
        ServerView view;
        view.member = member;
        if (at != sites_.end()) {
            const auto seen = at->second.servers.find(member.server_id);
            if (seen != at->second.servers.end() && seen->second.key == member.key) {
                const Seen& known = seen->second;
                view.state = silence > silence_ms ? "unknown" : known.state;
                view.age_ms = known.heard_ms < 0 ? -1 : now_ms - known.heard_ms;
                view.witness = hostname_of(roster, known.witness);
                view.record = known.record;
            }
        }
        out.push_back(std::move(view));
    }
    return out;
}

std::int64_t SiteState::silence_of(std::int64_t now_ms, const std::string& site) const {
    const auto at = sites_.find(site);
    return at == sites_.end() || at->second.reported_ms < 0 ? -1 : now_ms - at->second.reported_ms;
}

void SiteState::keep_members(const Roster& roster) {
    const auto at = sites_.find(roster.site);
    if (at == sites_.end()) return;
    std::erase_if(at->second.servers, [&](const auto& row) {
        const auto* member = roster.find(row.first);
        return member == nullptr || member->key != row.second.key;
    });
}

}  // namespace clarity::coordinator
