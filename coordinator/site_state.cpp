#include "coordinator/site_state.hpp"

#include <algorithm>
#include <array>

namespace clarity::coordinator {
namespace {

/// Newer evidence in an older word stands against a newer word for this long.
constexpr std::int64_t evidence_kept_ms = 15'000;
/// Whose views are kept of a site: its uplinks and a few before them.
constexpr std::size_t reporters_max = 8;
/// An uplink that was asked for a record has this long before another is.
constexpr std::int64_t wanted_again_ms = 5'000;
/// A report cannot be older than the time in which a connection without an answer is given up.
constexpr std::int64_t under_way_max_ms = 60'000;

bool is_state(const std::string& text) {
    constexpr std::array states{"alive", "suspect", "dead", "left", "unknown"};
    return std::find(states.begin(), states.end(), text) != states.end();
}

std::string hostname_of(const Roster& roster, const std::string& server_id) {
    const auto* member = roster.find(server_id);
    return member != nullptr ? member->hostname : server_id;
}

}  // namespace

SiteState::Reporter& SiteState::reporter(Site& site, const std::string& from) {
    const auto at = site.reporters.find(from);
    if (at != site.reporters.end()) return at->second;
    if (site.reporters.size() >= reporters_max) {
        site.reporters.erase(std::min_element(
            site.reporters.begin(), site.reporters.end(),
            [](const auto& a, const auto& b) { return a.second.said_ms < b.second.said_ms; }));
    }
    return site.reporters[from];
}

SiteState::Seen& SiteState::server(Site& site, const Member& member) {
    Seen& seen = site.servers[member.server_id];
    if (seen.key == member.key) return seen;
    // A replaced server counts its record's versions from the start again.
    seen = Seen{};
    seen.key = member.key;
    for (auto& [from, by] : site.reporters) {
        by.sights.erase(member.server_id);
        by.refused.erase(member.server_id);
    }
    return seen;
}

void SiteState::take_record(Site& site, Reporter& by, const Roster& roster, const Member& member,
                            const control::View& view, Outcome& out) {
    Result<Envelope> envelope = fail(Errc::invalid, "too big");
    if (view.record.size() <= record_max_bytes + 4096) envelope = Envelope::decode(view.record);
    const auto head = envelope ? verify_record_head(roster, *envelope)
                               : Result<RecordHead>(tl::unexpected(envelope.error()));
    Seen& seen = server(site, member);
    if (!head || head->server_id != view.server_id) {
        ++out.refused;
        by.refused[view.server_id] = view.version;
        return;
    }
    if (seen.version >= head->version) return;
    auto record = Record::decode(envelope->payload);
    seen.version = head->version;
    seen.mesh_endpoint = endpoints_of(envelope->payload).mesh;
    seen.newer_format = !record;
    seen.record = record ? std::optional(*std::move(record)) : std::nullopt;
    ++out.records;
}

void SiteState::take_view(Site& site, Reporter& by, const Roster& roster, const control::View& view,
                          const std::string& from, std::int64_t at_ms, Outcome& out) {
    if (!is_state(view.state)) {
        ++out.refused;
        return;
    }
    // A view may name servers of another roster than ours, for a while: digests count them.
    const auto rows_max = 2 * roster.members.size() + 64;
    if (by.table.find(view.server_id) != nullptr || by.table.rows().size() < rows_max) {
        by.table.set(view.server_id, view.state, view.version);
    }
    const auto* member = roster.find(view.server_id);
    if (member == nullptr) {
        ++out.refused;
        return;
    }
    server(site, *member);
    Sight& sight = by.sights[view.server_id];
    const auto age_ms = std::clamp<std::int64_t>(view.age_ms, 0, at_ms);
    sight.state = view.state;
    sight.heard_ms = view.age_ms < 0 ? -1 : at_ms - age_ms;
    sight.said_ms = at_ms;
    sight.witness = view.witness.empty() ? from : view.witness;
    if (!view.record.empty()) take_record(site, by, roster, *member, view, out);
}

/// Does the base of the reporter's deltas equal its view? Where not, the next best base is taken:
/// that of an uplink that sees the same, or for one that does not tell every change, the newest.
void SiteState::compare(Site& site, Reporter& by, const control::Report& report, Outcome& out) {
    out.agreed = by.table.digest() == report.digest;
    if (out.agreed) return;
    const Reporter* newest = nullptr;
    for (const auto& [from, other] : site.reporters) {
        if (&other == &by || other.agreed_ms < 0) continue;
        if (other.table.digest() == report.digest) {
            by.table = other.table;
            for (const auto& [id, sight] : other.sights) by.sights.try_emplace(id, sight);
            out.agreed = true;
            return;
        }
        if (newest == nullptr || newest->agreed_ms < other.agreed_ms) newest = &other;
    }
    const bool tells_nothing = report.changes.empty() && report.gone.empty();
    if (tells_nothing && newest != nullptr && newest->agreed_ms > by.agreed_ms) {
        by.table = newest->table;
    }
    const auto& buckets = by.table.buckets();
    out.ack.buckets.assign(buckets.begin(), buckets.end());
}

void SiteState::renew(Site& site, Reporter& by, const Roster& roster, const std::string& from,
                      const control::Report& report, std::int64_t at_ms) {
    by.agreed_ms = at_ms;
    const auto heard_ms = at_ms - std::clamp<std::int64_t>(report.fresh_ms, 0, at_ms);
    for (const auto& member : roster.members) {
        const auto& id = member.server_id;
        const auto* row = by.table.find(id);
        if (row == nullptr) continue;
        server(site, member);
        Sight& sight = by.sights[id];
        sight.state = row->state;
        sight.said_ms = at_ms;
        if (sight.witness.empty()) sight.witness = from;
        const bool stale =
            std::find(report.stale.begin(), report.stale.end(), id) != report.stale.end();
        if (row->state != "alive" || stale || heard_ms <= sight.heard_ms) continue;
        sight.heard_ms = heard_ms;
        sight.witness = from;  // it vouches for this, whoever of its site heard it
    }
}

void SiteState::want(Site& site, const Reporter& by, const Roster& roster, std::int64_t now_ms,
                     control::Ack& ack) {
    for (const auto& member : roster.members) {
        if (ack.wanted.size() >= control::wanted_max) return;
        const auto& id = member.server_id;
        const auto* row = by.table.find(id);
        if (row == nullptr || row->version == RecordVersion{}) continue;
        Seen& seen = server(site, member);
        if (seen.version >= row->version) continue;
        const auto refused = by.refused.find(id);
        if (refused != by.refused.end() && refused->second == row->version) continue;
        const bool is_asked = seen.wanted == row->version && seen.wanted_ms >= 0 &&
                              now_ms - seen.wanted_ms < wanted_again_ms;
        if (is_asked) continue;
        seen.wanted = row->version;
        seen.wanted_ms = now_ms;
        ack.wanted.push_back(id);
    }
}

SiteState::Outcome SiteState::report(std::int64_t now_ms, const Roster& roster,
                                     const std::string& from, const control::Report& report) {
    Outcome out;
    out.ack.seq = report.seq;
    out.ack.at_ms = now_ms;
    Site& site = sites_[roster.site];
    Reporter& by = reporter(site, from);
    // What was long under way is as old as it says, by our own clock.
    const auto at_ms =
        report.at_ms > 0 ? std::clamp(report.at_ms, now_ms - under_way_max_ms, now_ms) : now_ms;
    site.reported_ms = std::max(site.reported_ms, at_ms);
    site.asked_ms = -1;
    by.said_ms = at_ms;
    for (std::size_t bucket = 0; bucket < control::ViewTable::buckets_count; ++bucket) {
        if ((report.replaced >> bucket & 1U) != 0) by.table.clear_bucket(bucket);
    }
    for (const auto& id : report.gone) by.table.erase(id);
    for (const auto& view : report.changes) {
        take_view(site, by, roster, view, from, at_ms, out);
    }
    if (report.fresh_ms < 0) return out;  // a part
    compare(site, by, report, out);
    if (!out.agreed) return out;
    renew(site, by, roster, from, report, at_ms);
    want(site, by, roster, now_ms, out.ack);
    return out;
}

void SiteState::asked(std::int64_t now_ms, const std::string& site) {
    auto& asked = sites_[site].asked_ms;
    if (asked < 0) asked = now_ms;  // the oldest that was not answered counts
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

const SiteState::Sight* SiteState::best_sight(const Site& site, const std::string& server) {
    const Sight* best = nullptr;
    for (const auto& [from, by] : site.reporters) {
        const auto at = by.sights.find(server);
        if (at == by.sights.end()) continue;
        const Sight& next = at->second;
        if (best == nullptr) {
            best = &next;
            continue;
        }
        const bool fresher = next.heard_ms != best->heard_ms ? next.heard_ms > best->heard_ms
                                                             : next.said_ms > best->said_ms;
        const bool outdated = next.said_ms - best->said_ms > evidence_kept_ms;
        const bool too_old = best->said_ms - next.said_ms > evidence_kept_ms;
        if (outdated || (fresher && !too_old)) best = &next;
    }
    return best;
}

bool SiteState::is_silent(const Site& site, std::int64_t now_ms) {
    if (now_ms - site.reported_ms > silence_ms) return true;
    return site.asked_ms >= 0 && now_ms - site.asked_ms > answer_ms;
}

std::vector<ServerView> SiteState::servers(std::int64_t now_ms, const Roster& roster) const {
    std::vector<ServerView> out;
    const auto at = sites_.find(roster.site);
    for (const auto& member : roster.members) {
        ServerView view;
        view.member = member;
        out.push_back(std::move(view));
        if (at == sites_.end()) continue;
        const auto seen = at->second.servers.find(member.server_id);
        if (seen == at->second.servers.end() || seen->second.key != member.key) continue;
        out.back().record = seen->second.record;
        out.back().newer_format = seen->second.newer_format;
        out.back().mesh_endpoint = seen->second.mesh_endpoint;
        const Sight* sight = best_sight(at->second, member.server_id);
        if (sight == nullptr) continue;
        out.back().state = is_silent(at->second, now_ms) ? "unknown" : sight->state;
        if (sight->heard_ms >= 0) {
            out.back().age_ms = std::max<std::int64_t>(now_ms - sight->heard_ms, 0);
        }
        out.back().witness = hostname_of(roster, sight->witness);
    }
    return out;
}

std::int64_t SiteState::silence_of(std::int64_t now_ms, const std::string& site) const {
    const auto at = sites_.find(site);
    return at == sites_.end() || at->second.reported_ms < 0
               ? -1
               : std::max<std::int64_t>(now_ms - at->second.reported_ms, 0);
}

void SiteState::keep_members(const Roster& roster) {
    const auto at = sites_.find(roster.site);
    if (at == sites_.end()) return;
    std::map<std::string_view, const Member*> members;
    for (const auto& member : roster.members) members[member.server_id] = &member;
    const auto is_gone = [&](const auto& row) { return !members.contains(row.first); };
    std::erase_if(at->second.servers, [&](const auto& row) {
        const auto member = members.find(row.first);
        return member == members.end() || member->second->key != row.second.key;
    });
    std::erase_if(at->second.reporters, is_gone);
    for (auto& [from, by] : at->second.reporters) {
        std::erase_if(by.sights, is_gone);
        std::erase_if(by.refused, is_gone);
    }
}

}  // namespace clarity::coordinator
