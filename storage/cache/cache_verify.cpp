// Finding what went bad on the disk, and putting it aside before anybody gets it.
#include <fcntl.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "protocol/sha256.hpp"
#include "storage/cache/cache.hpp"
#include "storage/cache/entry.hpp"
#include "storage/files.hpp"

namespace clarity {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t buffer_bytes = 1U << 20;

/// Waits, unless told to stop; the time that the bytes read so far should have taken.
void keep_pace(const std::stop_token& stop, Clock::time_point began, std::uint64_t read_bytes,
               std::uint64_t rate_bytes_s) {
    if (rate_bytes_s == 0) return;
    const auto due = began + std::chrono::milliseconds(read_bytes * 1000 / rate_bytes_s);
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock(mutex);
    wake.wait_until(lock, stop, due, [] { return false; });
}

/// Nothing where the file cannot be read to its end: a bad sector is damage like any other.
Result<std::optional<Digest>> hash_from_disk(const std::string& path, std::uint64_t rate_bytes_s,
                                             const std::stop_token& stop) {
    CLARITY_TRY(const auto file, File::open_read(path));
    // What the page cache has says nothing of the disk; and it is not to be filled by this.
    ::posix_fadvise(file.descriptor(), 0, 0, POSIX_FADV_DONTNEED);
    Sha256 hash;
    Bytes buffer(buffer_bytes, '\0');
    const auto began = Clock::now();
    for (std::uint64_t at = 0;;) {
        if (stop.stop_requested()) return fail(Errc::cancelled, "stopped");
        const auto got = file.read_at(buffer.data(), buffer.size(), at);
        if (!got) return std::optional<Digest>{};
        if (*got == 0) return std::optional(hash.finish());
        hash.update(std::string_view(buffer).substr(0, *got));
        ::posix_fadvise(file.descriptor(), static_cast<off_t>(at), static_cast<off_t>(*got),
                        POSIX_FADV_DONTNEED);
        at += *got;
        keep_pace(stop, began, at, rate_bytes_s);
    }
}

}  // namespace

Result<ArtifactCache::Verdict> ArtifactCache::verify(const Digest& sha256, std::int64_t now_unix_s,
                                                     std::uint64_t rate_bytes_s,
                                                     const std::stop_token& stop) {
    {
        const std::lock_guard lock(mutex_);
        const auto at = entries_.find(sha256);
        if (at == entries_.end() || !at->second->complete) return Verdict::absent;
    }
    const auto path = object_path(sha256);
    const auto digest = file_exists(path) ? hash_from_disk(path, rate_bytes_s, stop)
                                          : Result<std::optional<Digest>>(std::nullopt);
    // Somebody may have dropped it meanwhile: then there is nothing to judge.
    const std::lock_guard lock(mutex_);
    const auto at = entries_.find(sha256);
    if (at == entries_.end() || !at->second->complete) return Verdict::absent;
    if (!digest) return tl::unexpected<Error>(digest.error());
    if (*digest != sha256) return Verdict::damaged;
    at->second->verified_unix_s = now_unix_s;
    CLARITY_CHECK(save(sha256, *at->second, Sync::no));  // a lost one is hashed once more
    return Verdict::good;
}

std::optional<Digest> ArtifactCache::next_to_verify() const {
    const std::lock_guard lock(mutex_);
    std::optional<Digest> out;
    std::int64_t oldest = 0;
    for (const auto& [sha256, entry] : entries_) {
        if (!entry->complete || (out && entry->verified_unix_s >= oldest)) continue;
        out = sha256;
        oldest = entry->verified_unix_s;
    }
    return out;
}

/// The file moves first: after a cut between the two steps the entry has no object and is dropped
/// at the next start. The other way round the start would find the damaged file in its place and
/// believe it.
Result<SetAside> ArtifactCache::set_aside(const Digest& sha256, const Manifest* manifest) {
    SetAside out;
    const auto path = partial_path(sha256);
    {
        const std::lock_guard lock(mutex_);
        const auto at = entries_.find(sha256);
        if (at == entries_.end() || !at->second->complete) {
            return fail(Errc::not_found, "cache: {} is not here", sha256.hex());
        }
        const bool usable = manifest != nullptr && manifest->sha256 == sha256 &&
                            file_exists(object_path(sha256)) &&
                            change_mode(object_path(sha256), 0640).has_value();
        if (!usable) {
            out.dropped = true;
            CLARITY_CHECK(drop(sha256));
            return out;
        }
        CLARITY_CHECK(rename_durable(object_path(sha256), path));
        auto fresh = Entry::of(*manifest);
        fresh.last_used_unix_s = at->second->last_used_unix_s;
        fresh.boot_id = boot_id_;
        at->second = std::make_unique<Entry>(std::move(fresh));
        CLARITY_CHECK(store_.erase(cache_detail::chunks_key(sha256)));
        CLARITY_CHECK(save(sha256, *at->second, Sync::yes));
    }
    out.pieces = manifest->piece_count();
    const auto sized = [&]() -> Result<void> {
        CLARITY_TRY(auto file, File::open_write(path));
        CLARITY_TRY(const auto size, file.size());
        return size == manifest->size_bytes ? Result<void>() : file.resize(manifest->size_bytes);
    }();
    auto bad = sized ? recheck(*manifest, path, std::vector<bool>(out.pieces, true))
                     : Result<std::size_t>(tl::unexpected<Error>(sized.error()));
    if (bad) {
        out.bad_pieces = *bad;
        return out;
    }
    // A disk that cannot even be read: all of it comes anew, to another place on it.
    const std::lock_guard lock(mutex_);
    out.dropped = true;
    CLARITY_CHECK(drop(sha256));
    return out;
}

}  // namespace clarity
