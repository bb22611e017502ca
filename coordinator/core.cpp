#include "coordinator/core.hpp"

#include <set>

#include "protocol/log/log.hpp"
#include "protocol/x509.hpp"

namespace clarity::coordinator {

Result<std::unique_ptr<Core>> Core::open(const Config& config, std::int64_t now_unix_s) {
    CLARITY_TRY(auto made, bootstrap(config, now_unix_s));
    auto identity = std::make_unique<const Identity>(std::move(made));
    auto opened = Store::open(config.state_dir + "/db");
    if (!opened) {
        if (opened.error().code != Errc::conflict) return tl::unexpected(opened.error());
        return fail(Errc::conflict,
                    "state_dir {} is locked by another process: another orchestrix runs on it; "
                    "stop that one, or set another state_dir",
                    config.state_dir);
    }
    auto store = std::move(*opened);
    CLARITY_TRY(auto trust, Trust::load(*store, identity->signing.public_key()));
    CLARITY_TRY(auto manifests, Manifests::load(*store));
    CLARITY_TRY(auto inventory, InventoryStore::load(*store));
    CLARITY_TRY(auto rosters, Rosters::load(*store, identity->signing));
    CLARITY_TRY(auto deployments, Deployments::load(*store));
    CLARITY_TRY(auto prefetches, Prefetches::load(*store));
    CLARITY_TRY(auto audit, Audit::open(*store));
    Tokens tokens(*store);
    Vault vault(*store, identity->vault_key);
    Auth auth(identity->admin_token);
    if (identity->first_start) {
        CLARITY_TRY(const auto fingerprint, x509::fingerprint_sha256(identity->ca_pem));
        log::info("first start: keys, CA and the admin's token are in {}", config.state_dir);
        log::info("CA fingerprint for clarity login: {}", fingerprint.hex());
    }
    return std::unique_ptr<Core>(new Core{
        config, std::move(identity), std::move(store), std::move(trust), std::move(manifests),
        std::move(inventory), std::move(tokens), std::move(vault), std::move(rosters),
        std::move(deployments), std::move(prefetches), std::move(audit), std::move(auth)});
}

std::vector<std::string> Core::known_sites() const {
    std::set<std::string> out;
    if (const auto stored = inventory.current()) {
        for (const auto& datacenter : (*stored)->inventory.datacenters) {
            out.insert(datacenter.client + "/" + datacenter.code);
        }
    }
    for (const auto& [site, roster] : rosters.all()) out.insert(site);
    return {out.begin(), out.end()};
}

bool Core::knows_site(const std::string& site) const {
    const auto stored = inventory.current();
    if (!stored) return false;
    const auto slash = site.find('/');
    return slash != std::string::npos &&
           (*stored)->inventory.datacenter(site.substr(0, slash), site.substr(slash + 1)) !=
               nullptr;
}

Result<SiteView> Core::view(const std::string& site, std::int64_t now_ms) const {
    const auto* roster = rosters.find(site);
    if (roster == nullptr) {
        if (!knows_site(site)) return fail(Errc::not_found, "there is no site {}", site);
        return fail(Errc::not_found,
                    "nobody is enrolled at {}; \"clarity token create {}\" makes join tokens", site,
                    site);
    }
    SiteView out;
    out.site = site;
    out.answered_by = "coordinator";
    if (const auto* plan = deployments.current(site)) {
        out.plan_seq = plan->plan.seq;
        out.plan_digest = plan->digest;
        out.environment = name_of(plan->plan.environment);
    }
    out.freshness_ms = sites.silence_of(now_ms, site);
    out.servers = sites.servers(now_ms, roster->roster);
    return out;
}

}  // namespace clarity::coordinator
