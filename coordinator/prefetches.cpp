#include "coordinator/prefetches.hpp"

#include <algorithm>

namespace clarity::coordinator {
namespace {

std::string key_of(const std::string& site, const Digest& manifest) {
    return schema::key(schema::prefetch, {site, manifest.hex()});
}

}  // namespace

Result<Prefetches> Prefetches::load(Store& store) {
    Prefetches out(store);
    CLARITY_TRY(const auto rows, store.rows(schema::prefetch));
    for (const auto& [key, bytes] : rows) {
        CLARITY_TRY(const auto json, parse_json(bytes));
        CLARITY_TRY(const auto site, json_get<std::string>(json, "site"));
        CLARITY_TRY(const auto hex, json_get<std::string>(json, "manifest"));
        CLARITY_TRY(const auto manifest, Digest::from_hex(hex));
        out.sites_[site][manifest] = json_or<std::int64_t>(json, "at", 0);
    }
    return out;
}

Result<void> Prefetches::add(const std::string& site, const Digest& manifest,
                             std::int64_t now_unix_s) {
    const Json row{{"site", site}, {"manifest", manifest.hex()}, {"at", now_unix_s}};
    CLARITY_CHECK(store_->put_json(key_of(site, manifest), row));
    auto& known = sites_[site];
    known[manifest] = now_unix_s;
    while (known.size() > per_site_max) {
        const auto oldest =
            std::min_element(known.begin(), known.end(),
                             [](const auto& a, const auto& b) { return a.second < b.second; });
        CLARITY_CHECK(store_->erase(key_of(site, oldest->first)));
        known.erase(oldest);
    }
    return {};
}

std::vector<Digest> Prefetches::of(const std::string& site) const {
    std::vector<Digest> out;
    const auto at = sites_.find(site);
    if (at == sites_.end()) return out;
    for (const auto& [manifest, when] : at->second) out.push_back(manifest);
    return out;
}

}  // namespace clarity::coordinator
