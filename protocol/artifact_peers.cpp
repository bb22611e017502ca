#include "protocol/artifact_peers.hpp"

#include <algorithm>
#include <map>

#include "protocol/artifact_marks.hpp"

namespace clarity {
namespace {

Json seconds(std::int64_t ms) {
    if (ms < 0) return nullptr;
    return static_cast<double>(ms / 100) / 10.0;
}

bool has_mark(const std::vector<std::uint64_t>& marks, const Digest& sha256) {
    return std::find(marks.begin(), marks.end(), artifact_mark(sha256)) != marks.end();
}

const Holding* holding_of(const Record& record, const Digest& sha256) {
    for (const auto& each : record.holdings) {
        if (each.sha256 == sha256) return &each;
    }
    return nullptr;
}

const FetchClaim* claim_of(const Record& record, const Digest& sha256) {
    for (const auto& each : record.claims) {
        if (each.sha256 == sha256) return &each;
    }
    return nullptr;
}

/// Null for a server that neither has nor wants any of it.
Json peer_json(const ServerView& server, const Digest& sha256) {
    if (!server.record) return nullptr;
    const auto& record = *server.record;
    const auto* holding = holding_of(record, sha256);
    const auto* claim = claim_of(record, sha256);
    const bool pinned = has_mark(record.pinned, sha256);
    const bool whole = holding != nullptr ? holding->complete : has_mark(record.kept, sha256);
    if (holding == nullptr && claim == nullptr && !pinned && !whole) return nullptr;
    double share = whole ? 1.0 : 0.0;
    if (!whole && holding != nullptr && holding->pieces != 0) {
        share = static_cast<double>(holding->pieces_have) / holding->pieces;
    }
    Json out{{"server", server.member.hostname},
             {"server_id", server.member.server_id},
             {"state", server.state},
             {"age_s", seconds(server.age_ms)},
             {"complete", whole},
             {"share", share},
             {"pinned", pinned},
             {"fetching", claim != nullptr}};
    if (claim != nullptr) out["rate_bytes_s"] = claim->rate_bytes_s;
    if (holding == nullptr) return out;
    out["pieces_have"] = holding->pieces_have;
    out["pieces"] = holding->pieces;
    out["wan_bytes"] = holding->wan_bytes;
    out["lan_bytes"] = holding->lan_bytes;
    out["error"] = holding->error;
    return out;
}

Json artifact_json(const SiteView& view, const KnownArtifact& artifact) {
    Json peers = Json::array();
    std::size_t copies = 0;
    Json fetcher = nullptr;
    for (const auto& server : view.servers) {
        auto peer = peer_json(server, artifact.sha256);
        if (peer.is_null()) continue;
        const bool there = server.state == "alive" || server.state == "suspect";
        if (there && peer.at("complete").get<bool>()) ++copies;
        if (there && peer.at("fetching").get<bool>()) fetcher = server.member.hostname;
        peers.push_back(std::move(peer));
    }
    return Json{{"artifact", artifact.artifact},
                {"version", artifact.version},
                {"sha256", artifact.sha256.hex()},
                {"size_bytes", artifact.size_bytes},
                {"copies", copies},
                {"fetcher", std::move(fetcher)},
                {"peers", std::move(peers)}};
}

}  // namespace

Json artifact_peers_json(const SiteView& view, const std::string& name,
                         const std::vector<KnownArtifact>& known) {
    const auto at = name.find('@');
    const auto artifact = name.substr(0, at);
    const auto version = at == std::string::npos ? std::string() : name.substr(at + 1);
    std::map<Digest, KnownArtifact> found;
    const auto take = [&](const KnownArtifact& each) {
        const bool named =
            each.artifact == artifact && (version.empty() || each.version == version);
        if (named) found.emplace(each.sha256, each);
    };
    for (const auto& each : known) take(each);
    for (const auto& server : view.servers) {
        if (!server.record) continue;
        for (const auto& held : server.record->holdings) {
            take({held.artifact, held.version, held.sha256, held.size_bytes});
        }
    }
    Json artifacts = Json::array();
    for (const auto& [sha256, each] : found) {
        auto json = artifact_json(view, each);
        if (version.empty() && json.at("peers").empty()) continue;
        artifacts.push_back(std::move(json));
    }
    return Json{{"site", view.site},
                {"answered_by", view.answered_by},
                {"artifacts", std::move(artifacts)}};
}

}  // namespace clarity
