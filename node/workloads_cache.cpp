// The cache's part: what is kept, put aside, repaired, and fetched before a plan names it.
#include <algorithm>
#include <chrono>
#include <ctime>

#include "node/workloads_impl.hpp"
#include "protocol/log/log.hpp"

namespace clarity {
namespace {

const std::string staged_pin = "staged";

std::int64_t now_unix_s() {
    return std::time(nullptr);
}

}  // namespace

CacheKeeperHooks Workloads::Impl::keeper_hooks() {
    const auto self = weak_from_this();
    CacheKeeperHooks out;
    out.copies = [self] {
        const auto me = self.lock();
        if (!me) return SiteCopies();
        return SiteCopies::of(me->hooks.site(), me->hooks.planned());
    };
    out.dropped = [self](const CachedArtifact& each) {
        const auto me = self.lock();
        if (!me || !me->swarm) return;
        me->swarm->forget(each.sha256);
        me->scrub->forget(each.sha256);
    };
    out.changed = [self] {
        if (const auto me = self.lock()) me->changed();
    };
    out.looked_at = [self] {
        if (const auto me = self.lock()) {
            me->end_prefetches(me->prefetches->expired(now_unix_s()));
        }
    };
    return out;
}

Result<void> Workloads::Impl::prefetch(const CacheOrder& order) {
    CLARITY_CHECK(prefetches->add(order));
    CLARITY_CHECK(cache->pin(order.sha256, std::string(prefetch_pin)));
    if (const auto path = cache->find(order.sha256)) cache->touch(order.sha256, now_unix_s());
    fetch_ahead();
    changed();
    return {};
}

Result<void> Workloads::Impl::end_prefetch(const Digest& sha256) {
    CLARITY_CHECK(prefetches->remove(sha256));
    return cache->unpin(sha256, std::string(prefetch_pin));
}

void Workloads::Impl::end_prefetches(const std::vector<Digest>& artifacts) {
    for (const auto& each : artifacts) {
        if (const auto ended = end_prefetch(each); !ended) {
            log::warning("prefetch: {}", ended.error().message);
        }
    }
}

/// Those that wait for nothing but their bytes; again for one under way changes nothing.
void Workloads::Impl::fetch_ahead() {
    const auto& held = hooks.manifests();
    if (!prefetches->all().empty()) open_repositories();
    for (const auto& [sha256, order] : prefetches->all()) {
        const auto at = held.find(order.manifest);
        if (at == held.end() || at->second.sha256 != sha256) continue;
        if (cache->find(sha256)) swarm->seed(at->second);
        else fetch(at->second, order.artifact + "@" + order.version, order.candidates);
    }
    for (const auto& digest : expected_manifests) {
        const auto at = held.find(digest);
        if (at != held.end()) swarm->seed(at->second);
    }
}

/// A start in the midst of a repair: the running service does not ask for what it has unpacked.
void Workloads::Impl::mend() {
    // The plan's own pins hold them from here on.
    if (const auto unpinned = cache->set_pins(staged_pin, {}); !unpinned) {
        log::error("cache: {}", unpinned.error().message);
    }
    for (const auto& [digest, manifest] : hooks.manifests()) {
        const auto here = cache->describe(manifest.sha256);
        if (here && !here->complete && !here->pins.empty()) {
            fetch(manifest, plan.correlation_id, servers_wanting(plan, manifests, manifest.sha256));
        }
    }
}

CacheScrubHooks Workloads::Impl::scrub_hooks() {
    const auto self = weak_from_this();
    CacheScrubHooks out;
    out.manifest = [self](const Digest& sha256) -> std::optional<Manifest> {
        const auto me = self.lock();
        if (!me) return std::nullopt;
        for (const auto& [digest, manifest] : me->hooks.manifests()) {
            if (manifest.sha256 == sha256) return manifest;
        }
        return std::nullopt;
    };
    // No candidates: everybody may have it, and whoever lacks it may fetch it.
    out.repair = [self](const Manifest& manifest) {
        if (const auto me = self.lock()) me->swarm->want(manifest, "repair", {});
    };
    out.dropped = [self](const Digest& sha256) {
        if (const auto me = self.lock(); me && me->swarm) me->swarm->forget(sha256);
    };
    out.changed = keeper_hooks().changed;
    return out;
}

CacheOrders::Hooks Workloads::Impl::order_hooks() {
    const auto self = weak_from_this();
    CacheOrders::Hooks out;
    out.changed = keeper_hooks().changed;
    out.prefetch = [self](const CacheOrder& order) {
        const auto me = self.lock();
        return me ? me->prefetch(order) : fail(Errc::cancelled, "the agent is stopping");
    };
    out.end_prefetch = [self](const Digest& sha256) {
        const auto me = self.lock();
        return me ? me->end_prefetch(sha256) : fail(Errc::cancelled, "the agent is stopping");
    };
    return out;
}

// --- a plan that begins later

bool Workloads::Impl::is_staged() const {
    return plan.not_before_unix_s > now_unix_s();
}

/// Gets what the plan's services here will need, and holds on to it. Nothing else is touched: the
/// plan before goes on running and healing.
void Workloads::Impl::stage() {
    open_repositories();
    std::set<std::pair<std::string, Digest>> pins;
    const auto* server = plan.find(identity.server_id);
    for (const auto& service : server == nullptr ? std::vector<Service>{} : server->services) {
        const auto at = manifests.find(service.manifest);
        if (at == manifests.end()) continue;
        const auto& manifest = at->second;
        pins.emplace(staged_pin, manifest.sha256);
        if (cache->find(manifest.sha256)) {
            swarm->seed(manifest);
        } else {
            fetch(manifest, plan.correlation_id, servers_wanting(plan, manifests, manifest.sha256));
        }
    }
    if (const auto pinned = cache->set_pins(staged_pin, pins); !pinned) {
        log::error("cache: {}", pinned.error().message);
    }
}

/// Looks at the clock now and then: it may be set meanwhile.
void Workloads::Impl::wait_to_begin() {
    const auto wait_s = std::clamp<std::int64_t>(plan.not_before_unix_s - now_unix_s(), 0, 60);
    timer.expires_after(std::chrono::seconds(wait_s));
    timer.async_wait([self = weak_from_this()](const auto& error) {
        const auto me = self.lock();
        if (error || !me) return;
        if (me->is_staged()) return me->wait_to_begin();
        log::info_for(me->plan.correlation_id, "plan {} begins", me->plan.seq);
        me->apply_now();
        me->changed();
    });
}

}  // namespace clarity
