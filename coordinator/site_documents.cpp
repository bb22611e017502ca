#include "coordinator/site_documents.hpp"

#include <algorithm>

#include "coordinator/core.hpp"
#include "protocol/log/log.hpp"
#include "protocol/orders.hpp"

namespace clarity::coordinator {
namespace {

control::Ad ad_of(std::string kind, std::string key, std::uint64_t version, const Digest& digest,
                  std::size_t size) {
    return {std::move(kind), std::move(key), version, digest, size};
}

}  // namespace

Bytes SiteDocuments::beacon(const std::string& site, std::int64_t now_unix_ms) const {
    if (!core_.trust.has_root()) return {};
    Beacon beacon{site, now_unix_ms, 0, 0};
    if (const auto* roster = core_.rosters.find(site)) beacon.roster_epoch = roster->roster.epoch;
    if (const auto* plan = core_.deployments.current(site)) beacon.plan_seq = plan->plan.seq;
    auto envelope = Envelope::make(payload_type::beacon, beacon.encode());
    envelope.sign(core_.identity->signing);
    return envelope.encode();
}

void SiteDocuments::add_manifests(const std::vector<Digest>& digests, std::vector<Document>& out) {
    for (const auto& digest : digests) {
        const auto at = core_.manifests.all().find(digest);
        if (at == core_.manifests.all().end()) continue;
        const auto& manifest = at->second.manifest;
        out.push_back({ad_of("manifest", manifest.artifact + "@" + manifest.version, 1, digest,
                             at->second.envelope_bytes),
                       {}});
    }
}

void SiteDocuments::add_plan(const std::string& site, std::vector<Document>& out) {
    auto ahead = core_.prefetches.of(site);
    const auto* published = core_.deployments.current(site);
    if (published == nullptr) return add_manifests(ahead, out);
    const auto& named = published->plan.manifests;
    std::erase_if(ahead, [&](const auto& each) {
        return std::find(named.begin(), named.end(), each) != named.end();
    });
    add_manifests(ahead, out);
    add_manifests(named, out);
    out.push_back(
        {ad_of("plan", site, published->plan.seq, published->digest, published->bytes.size()),
         published->bytes});
}

std::vector<SiteDocuments::Document> SiteDocuments::all(const std::string& site) {
    std::vector<Document> out;
    std::uint64_t version = 0;
    for (const auto& bytes : core_.trust.chain()) {
        ++version;
        const auto envelope = Envelope::decode(bytes);
        if (!envelope) continue;
        out.push_back(
            {ad_of("root", std::to_string(version), version, envelope->digest(), bytes.size()),
             bytes});
    }
    if (const auto* roster = core_.rosters.find(site)) {
        out.push_back(
            {ad_of("roster", site, roster->roster.epoch, roster->digest, roster->bytes.size()),
             roster->bytes});
    }
    add_plan(site, out);
    return out;
}

std::vector<control::Ad> SiteDocuments::ads(const std::string& site) {
    std::vector<control::Ad> out;
    for (auto& document : all(site)) out.push_back(std::move(document.ad));
    if (out.size() > control::ads_max) {
        log::error("site {}: {} documents are more than one offer takes", site, out.size());
        out.resize(control::ads_max);
    }
    return out;
}

Result<Bytes> SiteDocuments::document(const std::string& site, const Digest& digest) {
    for (auto& document : all(site)) {
        if (document.ad.digest != digest) continue;
        if (document.ad.kind == "manifest") return core_.manifests.envelope(digest);
        return std::move(document.bytes);
    }
    return fail(Errc::not_found, "site {} has no document {}", site, digest.hex());
}

}  // namespace clarity::coordinator
