// Start-up: the index is believed, files are only looked at from outside (name and size).
#include <filesystem>

#include "storage/cache/cache.hpp"
#include "storage/cache/entry.hpp"
#include "storage/files.hpp"

namespace clarity {

Result<std::unique_ptr<ArtifactCache>> ArtifactCache::open(CacheSettings settings,
                                                           KeyValueStore& store) {
    CLARITY_CHECK(make_dirs_durable(settings.root + "/objects", 0750));
    CLARITY_CHECK(make_dirs_durable(settings.root + "/partial", 0750));
    std::unique_ptr<ArtifactCache> out(new ArtifactCache(std::move(settings), store));
    // Without a boot id (no /proc) every start counts as a reboot: slower, never wrong.
    out->boot_id_ = out->settings_.boot_id;
    if (out->boot_id_.empty()) {
        out->boot_id_ = read_file("/proc/sys/kernel/random/boot_id", 64).value_or("");
    }
    CLARITY_CHECK(out->load());
    CLARITY_CHECK(out->settle_entries());
    CLARITY_CHECK(out->sweep_files());
    return out;
}

Result<void> ArtifactCache::load() {
    CLARITY_CHECK(store_.scan(cache_detail::entry_prefix, [&](auto key, auto value) {
        const auto sha256 = Digest::from(key.substr(cache_detail::entry_prefix.size()));
        auto entry = Entry::decode(value);
        // What cannot be read is forgotten; its file is swept and fetched again.
        if (sha256 && entry) entries_[*sha256] = std::make_unique<Entry>(std::move(*entry));
        return true;
    }));
    return store_.scan(cache_detail::pin_prefix, [&](auto key, auto) {
        const auto rest = key.substr(cache_detail::pin_prefix.size());
        const auto sha256 = Digest::from(rest.substr(0, Digest::size_bytes));
        if (sha256) pins_.emplace(std::string(rest.substr(Digest::size_bytes)), *sha256);
        return true;
    });
}

Result<void> ArtifactCache::settle_entries() {
    std::vector<Digest> gone;
    for (const auto& [sha256, entry] : entries_) {
        const auto object = file_size(object_path(sha256));
        if (object && *object == entry->size_bytes) {
            // Killed between the rename and the index: it was verified before the rename.
            if (!entry->complete) {
                entry->complete = true;
                CLARITY_CHECK(save(sha256, *entry, Sync::yes));
            }
            continue;
        }
        const auto partial = file_size(partial_path(sha256));
        if (entry->complete || !partial || *partial != entry->size_bytes) gone.push_back(sha256);
    }
    for (const auto& sha256 : gone) CLARITY_CHECK(drop(sha256));
    return {};
}

Result<void> ArtifactCache::sweep_files() {
    namespace fs = std::filesystem;
    std::error_code error;
    std::vector<std::string> strange;
    const auto known = [&](const fs::path& path, bool complete) {
        const auto sha256 = Digest::from_hex(path.filename().string());
        const auto at = sha256 ? entries_.find(*sha256) : entries_.end();
        return at != entries_.end() && at->second->complete == complete;
    };
    for (fs::recursive_directory_iterator at(settings_.root + "/objects", error), end;
         !error && at != end; at.increment(error)) {
        if (at->is_directory(error)) continue;
        if (!known(at->path(), true)) strange.push_back(at->path().string());
    }
    for (fs::directory_iterator at(settings_.root + "/partial", error), end; !error && at != end;
         at.increment(error)) {
        if (!known(at->path(), false)) strange.push_back(at->path().string());
    }
    if (error) return tl::unexpected(file_error("list", settings_.root, error.value()));
    for (const auto& path : strange) CLARITY_CHECK(remove_all(path));
    return {};
}

}  // namespace clarity
