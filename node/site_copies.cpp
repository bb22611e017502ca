#include "node/site_copies.hpp"

#include <algorithm>

#include "protocol/artifact_marks.hpp"
#include "protocol/election.hpp"

namespace clarity {

SiteCopies SiteCopies::of(const SiteSnapshot& site, const std::set<Digest>& planned) {
    SiteCopies out;
    out.self_ = site.self;
    for (const auto& each : planned) out.needed_.insert(artifact_mark(each));
    for (const auto& member : site.members) {
        if (member.id == site.self || site.records == nullptr) continue;
        const auto at = site.records->find(member.id);
        if (at == site.records->end()) continue;
        const auto& record = at->second;
        // Who is away for a while wants to find what it pins.
        out.needed_.insert(record.pinned.begin(), record.pinned.end());
        if (member.state != mesh::State::alive) continue;
        for (const auto mark : record.kept) out.holders_[mark].insert(member.id);
        for (const auto& holding : record.holdings) {
            if (holding.complete) out.holders_[artifact_mark(holding.sha256)].insert(member.id);
        }
    }
    return out;
}

std::vector<std::string> SiteCopies::holders(const Digest& sha256) const {
    const auto at = holders_.find(artifact_mark(sha256));
    if (at == holders_.end()) return {};
    return {at->second.begin(), at->second.end()};
}

bool SiteCopies::is_needed(const Digest& sha256) const {
    return needed_.contains(artifact_mark(sha256));
}

Keep SiteCopies::judge(const CachedArtifact& artifact, std::size_t replicas_min) const {
    if (!artifact.complete) return Keep::no;
    auto servers = holders(artifact.sha256);
    bool keeper = servers.size() < replicas_min;
    if (!keeper) {
        servers.push_back(self_);
        const auto ranked = election::rank(artifact.sha256, std::move(servers));
        const auto self = std::find(ranked.begin(), ranked.end(), self_);
        keeper = static_cast<std::size_t>(self - ranked.begin()) < replicas_min;
    }
    if (!keeper) return Keep::no;
    return is_needed(artifact.sha256) ? Keep::yes : Keep::if_room;
}

}  // namespace clarity
