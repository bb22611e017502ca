// Who needs what: pins, last use, and what goes when the room gets short.
#include <algorithm>

#include "storage/cache/cache.hpp"
#include "storage/cache/entry.hpp"
#include "storage/files.hpp"

namespace clarity {

void ArtifactCache::touch(const Digest& sha256, std::int64_t now_unix_s) {
    const std::lock_guard lock(mutex_);
    const auto at = entries_.find(sha256);
    if (at == entries_.end() || at->second->last_used_unix_s >= now_unix_s) return;
    at->second->last_used_unix_s = now_unix_s;
    (void)save(sha256, *at->second, Sync::no);  // a lost last use costs nothing
}

bool ArtifactCache::is_pinned(const Digest& sha256) const {
    return std::any_of(pins_.begin(), pins_.end(),
                       [&](const auto& pin) { return pin.second == sha256; });
}

Result<void> ArtifactCache::pin(const Digest& sha256, const std::string& owner) {
    const std::lock_guard lock(mutex_);
    if (pins_.contains({owner, sha256})) return {};
    CLARITY_CHECK(store_.put(cache_detail::pin_key(sha256, owner), {}, Sync::yes));
    pins_.emplace(owner, sha256);
    return {};
}

Result<void> ArtifactCache::unpin(const Digest& sha256, const std::string& owner) {
    const std::lock_guard lock(mutex_);
    if (!pins_.contains({owner, sha256})) return {};
    CLARITY_CHECK(store_.erase(cache_detail::pin_key(sha256, owner), Sync::yes));
    pins_.erase({owner, sha256});
    return {};
}

Result<void> ArtifactCache::set_pins(const std::string& owner_prefix,
                                     const std::set<std::pair<std::string, Digest>>& pins) {
    const std::lock_guard lock(mutex_);
    Batch batch;
    auto after = pins_;
    for (const auto& pin : pins_) {
        if (!pin.first.starts_with(owner_prefix) || pins.contains(pin)) continue;
        batch.erase(cache_detail::pin_key(pin.second, pin.first));
        after.erase(pin);
    }
    for (const auto& pin : pins) {
        if (!after.insert(pin).second) continue;
        batch.put(cache_detail::pin_key(pin.second, pin.first), {});
    }
    if (batch.empty()) return {};
    CLARITY_CHECK(store_.apply(batch, Sync::yes));
    pins_ = std::move(after);
    return {};
}

Result<std::vector<Digest>> ArtifactCache::collect(const MayDrop& may_drop,
                                                   std::uint64_t incoming_bytes) {
    std::vector<Digest> dropped;
    std::uint64_t total = size_bytes() + incoming_bytes;
    const std::uint64_t limit = settings_.size_max_bytes;
    if (limit == 0 || total <= limit / 100 * settings_.high_percent) return dropped;
    auto candidates = list();
    std::sort(candidates.begin(), candidates.end(),
              [](const auto& a, const auto& b) { return a.last_used_unix_s < b.last_used_unix_s; });
    for (const auto& each : candidates) {
        if (total <= limit / 100 * settings_.low_percent) break;
        // The owner's question is asked without the lock: it may look into the cache.
        if (!each.pins.empty() || (may_drop && !may_drop(each))) continue;
        const std::lock_guard lock(mutex_);
        const auto at = entries_.find(each.sha256);
        if (at == entries_.end() || is_pinned(each.sha256)) continue;
        const std::uint64_t held = at->second->held_bytes();
        CLARITY_CHECK(drop(each.sha256));
        total -= std::min(total, held);
        dropped.push_back(each.sha256);
    }
    return dropped;
}

Result<void> ArtifactCache::remove(const Digest& sha256) {
    const std::lock_guard lock(mutex_);
    if (is_pinned(sha256)) {
        return fail(Errc::conflict, "cache: {} is pinned: it runs or a rollback needs it",
                    sha256.hex());
    }
    return drop(sha256);
}

/// The entry goes first: a file that nobody knows is swept at the next start, but an entry without
/// a file would be believed.
Result<void> ArtifactCache::drop(const Digest& sha256) {
    Batch batch;
    batch.erase(cache_detail::entry_key(sha256));
    batch.erase(cache_detail::chunks_key(sha256));
    CLARITY_CHECK(store_.apply(batch));
    entries_.erase(sha256);
    CLARITY_CHECK(remove_all(object_path(sha256)));
    return remove_all(partial_path(sha256));
}

}  // namespace clarity
