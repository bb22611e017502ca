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

std::vector<ArtifactCache::Whole> ArtifactCache::whole() const {
    const std::lock_guard lock(mutex_);
    std::vector<Whole> out;
    out.reserve(entries_.size());
    for (const auto& [sha256, entry] : entries_) {
        if (entry->complete) out.push_back({sha256, entry->last_used_unix_s});
    }
    return out;
}

std::map<Digest, std::set<std::string>> ArtifactCache::pinned() const {
    const std::lock_guard lock(mutex_);
    std::map<Digest, std::set<std::string>> out;
    for (const auto& [owner, sha256] : pins_) out[sha256].insert(owner);
    return out;
}

/// What begin() would refuse for. Where the disk cannot be asked, begin() will say why.
std::uint64_t ArtifactCache::disk_short_of(std::uint64_t incoming_bytes) const {
    if (incoming_bytes == 0) return 0;
    const auto free = free_space_bytes(settings_.root);
    const auto needed = incoming_bytes + settings_.disk_reserve_bytes;
    return !free || *free >= needed ? 0 : needed - *free;
}

Result<Collection> ArtifactCache::collect(const Judge& judge, std::uint64_t incoming_bytes,
                                          bool dry_run) {
    Collection out;
    std::map<Digest, CachedArtifact> unpinned;
    std::vector<EvictionCandidate> candidates;
    for (auto& each : list()) {
        out.size_bytes += each.held_bytes;
        if (!each.pins.empty()) continue;
        // The owner's question is asked without the lock: it may look into the cache.
        const auto keep = judge ? judge(each) : Keep::no;
        candidates.push_back({each.sha256, each.held_bytes, each.last_used_unix_s, keep});
        unpinned.emplace(each.sha256, std::move(each));
    }
    EvictionRoom room;
    room.total_bytes = out.size_bytes + incoming_bytes;
    room.limit_bytes = settings_.size_max_bytes;
    room.high_percent = settings_.high_percent;
    room.low_percent = settings_.low_percent;
    room.disk_short_bytes = disk_short_of(incoming_bytes);
    for (const auto& sha256 : choose_evictions(room, std::move(candidates))) {
        if (!dry_run) {
            const std::lock_guard lock(mutex_);
            if (!entries_.contains(sha256) || is_pinned(sha256)) continue;
            CLARITY_CHECK(drop(sha256));
        }
        out.dropped.push_back(std::move(unpinned.at(sha256)));
    }
    return out;
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
