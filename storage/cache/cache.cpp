#include "storage/cache/cache.hpp"

#include <algorithm>

#include "protocol/merkle.hpp"
#include "storage/cache/entry.hpp"
#include "storage/files.hpp"

namespace clarity {

namespace {

/// `hashed` once the file, whose hash that is, is durable.
Result<Digest> sync_hashed(const std::string& path, const Digest& hashed) {
    CLARITY_TRY(auto file, File::open_write(path));
    CLARITY_CHECK(file.sync());
    return hashed;
}

}  // namespace

ArtifactCache::ArtifactCache(CacheSettings settings, KeyValueStore& store)
    : settings_(std::move(settings)), store_(store) {}

ArtifactCache::~ArtifactCache() = default;

std::string ArtifactCache::object_path(const Digest& sha256) const {
    const std::string name = sha256.hex();
    return fmt::format("{}/objects/{}/{}", settings_.root, name.substr(0, 2), name);
}

std::string ArtifactCache::partial_path(const Digest& sha256) const {
    return fmt::format("{}/partial/{}", settings_.root, sha256.hex());
}

Result<void> ArtifactCache::save(const Digest& sha256, const Entry& entry, Sync sync) {
    return store_.put(cache_detail::entry_key(sha256), entry.encode(), sync);
}

Result<void> ArtifactCache::make_partial(const Manifest& manifest) {
    if (settings_.size_max_bytes != 0 && manifest.size_bytes > settings_.size_max_bytes) {
        return fail(Errc::no_space,
                    "{} bytes are over the cache's limit of {}; raise "
                    "cache.size_max_bytes",
                    manifest.size_bytes, settings_.size_max_bytes);
    }
    const std::string path = partial_path(manifest.sha256);
    CLARITY_TRY(const auto free, free_space_bytes(parent_dir(path)));
    if (free < manifest.size_bytes || free - manifest.size_bytes < settings_.disk_reserve_bytes) {
        return fail(Errc::no_space,
                    "{}: {} bytes are free, {} and a reserve of {} are needed; "
                    "free some space on this file system",
                    settings_.root, free, manifest.size_bytes, settings_.disk_reserve_bytes);
    }
    CLARITY_CHECK(remove_all(path));
    CLARITY_TRY(auto file, File::create(path, 0640));
    if (auto sized = file.resize(manifest.size_bytes); !sized) {
        (void)remove_all(path);
        return sized;
    }
    return sync_dir(parent_dir(path));
}

Result<std::string> ArtifactCache::begin(const Manifest& manifest, std::int64_t now_unix_s) {
    const std::string what = fmt::format("cache: {} {}", manifest.artifact, manifest.version);
    const std::string path = partial_path(manifest.sha256);
    std::vector<bool> suspect;
    {
        const std::lock_guard lock(mutex_);
        auto at = entries_.find(manifest.sha256);
        const bool fits = at != entries_.end() && at->second->fits(manifest);
        if (fits && at->second->complete && file_exists(object_path(manifest.sha256))) {
            return fail(Errc::exists, "{}: it is here already", what);
        }
        const auto size = file_size(path);
        if (fits && !at->second->complete && size && *size == manifest.size_bytes) {
            if (at->second->boot_id != boot_id_) suspect = at->second->pieces;
        } else {
            if (auto made = make_partial(manifest); !made) {
                return fail_within(what, std::move(made));
            }
            at =
                entries_
                    .insert_or_assign(manifest.sha256, std::make_unique<Entry>(Entry::of(manifest)))
                    .first;
        }
        at->second->last_used_unix_s = now_unix_s;
        if (suspect.empty()) {
            at->second->boot_id = boot_id_;
            CLARITY_CHECK(save(manifest.sha256, *at->second, Sync::no));
            return path;
        }
    }
    // The machine went down meanwhile: a marked piece may have lost its bytes to the power cut.
    auto checked = recheck(manifest, path, suspect);
    if (!checked) return fail_within(what, std::move(checked));
    return path;
}

Result<std::size_t> ArtifactCache::recheck(const Manifest& manifest, const std::string& path,
                                           const std::vector<bool>& which) {
    CLARITY_TRY(const auto file, File::open_read(path));
    std::vector<bool> good(manifest.piece_count());
    Bytes bytes;
    std::size_t bad = 0;
    for (std::size_t piece = 0; piece < good.size(); ++piece) {
        if (piece >= which.size() || !which[piece]) continue;
        bytes.resize(manifest.piece_length(piece));
        const std::uint64_t offset = static_cast<std::uint64_t>(piece) * manifest.piece_size_bytes;
        CLARITY_TRY(const auto got, file.read_at(bytes.data(), bytes.size(), offset));
        good[piece] = got == bytes.size() && piece_matches(manifest, piece, bytes);
        if (!good[piece]) ++bad;
    }
    const std::lock_guard lock(mutex_);
    const auto at = entries_.find(manifest.sha256);
    if (at == entries_.end()) return fail(Errc::not_found, "it was removed meanwhile");
    at->second->pieces = std::move(good);
    at->second->boot_id = boot_id_;
    CLARITY_CHECK(save(manifest.sha256, *at->second, Sync::no));
    return bad;
}

Result<void> ArtifactCache::mark_pieces(const Digest& sha256,
                                        std::span<const std::uint32_t> pieces) {
    const std::lock_guard lock(mutex_);
    const auto at = entries_.find(sha256);
    if (at == entries_.end() || at->second->complete) {
        return fail(Errc::not_found, "cache: {} is not in progress", sha256.hex());
    }
    auto& marks = at->second->pieces;
    for (const auto piece : pieces) {
        if (piece >= marks.size()) {
            return fail(Errc::invalid, "cache: {} has {} pieces, no number {}", sha256.hex(),
                        marks.size(), piece);
        }
    }
    for (const auto piece : pieces) marks[piece] = true;
    return save(sha256, *at->second, Sync::no);
}

std::vector<bool> ArtifactCache::pieces(const Digest& sha256) const {
    const auto artifact = describe(sha256);
    return artifact ? artifact->pieces : std::vector<bool>{};
}

Result<std::string> ArtifactCache::complete(const Manifest& manifest, std::int64_t now_unix_s,
                                            std::stop_token stop, const Digest* hashed) {
    const std::string what = fmt::format("cache: {} {}", manifest.artifact, manifest.version);
    const std::string path = partial_path(manifest.sha256);
    const std::string target = object_path(manifest.sha256);
    if (find(manifest.sha256)) return target;
    auto digest = hashed != nullptr ? sync_hashed(path, *hashed)
                                    : cache_detail::hash_and_sync(path, manifest.size_bytes, stop);
    if (!digest) return fail_within(what, std::move(digest));
    if (*digest != manifest.sha256) {
        auto bad = recheck(manifest, path, std::vector<bool>(manifest.piece_count(), true));
        if (!bad) return fail_within(what, std::move(bad));
        if (*bad == 0) {
            return fail(Errc::conflict,
                        "{}: every piece is as its manifest says but the whole "
                        "has SHA-256 {}, not {}: the manifest contradicts itself; publish it anew",
                        what, digest->hex(), manifest.sha256.hex());
        }
        return fail(Errc::invalid,
                    "{}: SHA-256 is {}, not {}; {} of {} pieces are bad and will be "
                    "fetched again",
                    what, digest->hex(), manifest.sha256.hex(), *bad, manifest.piece_count());
    }
    CLARITY_CHECK(make_dirs_durable(parent_dir(target), 0750));
    CLARITY_CHECK(change_mode(path, 0440));
    const std::lock_guard lock(mutex_);
    CLARITY_CHECK(rename_durable(path, target));
    auto& entry = entries_[manifest.sha256];
    if (!entry) entry = std::make_unique<Entry>(Entry::of(manifest));
    entry->complete = true;
    entry->last_used_unix_s = now_unix_s;
    entry->verified_unix_s = now_unix_s;
    if (!manifest.chunks.empty()) {
        CLARITY_CHECK(store_.put(cache_detail::chunks_key(manifest.sha256), manifest.chunks));
    }
    CLARITY_CHECK(save(manifest.sha256, *entry, Sync::yes));
    return target;
}

std::optional<std::string> ArtifactCache::find(const Digest& sha256) const {
    const std::lock_guard lock(mutex_);
    const auto at = entries_.find(sha256);
    if (at == entries_.end() || !at->second->complete) return std::nullopt;
    auto path = object_path(sha256);
    if (!file_exists(path)) return std::nullopt;  // somebody removed it: begin() starts anew
    return path;
}

std::optional<std::string> ArtifactCache::find_partial(const Digest& sha256) const {
    const std::lock_guard lock(mutex_);
    const auto at = entries_.find(sha256);
    if (at == entries_.end() || at->second->complete) return std::nullopt;
    return partial_path(sha256);
}

CachedArtifact ArtifactCache::view_of(const Digest& sha256, const Entry& entry) const {
    CachedArtifact out;
    out.sha256 = sha256;
    out.artifact = entry.artifact;
    out.version = entry.version;
    out.size_bytes = entry.size_bytes;
    out.piece_size_bytes = entry.piece_size_bytes;
    out.complete = entry.complete;
    out.pieces = entry.complete ? std::vector<bool>(entry.pieces.size(), true) : entry.pieces;
    out.held_bytes = entry.held_bytes();
    out.last_used_unix_s = entry.last_used_unix_s;
    for (const auto& [owner, pinned] : pins_) {
        if (pinned == sha256) out.pins.insert(owner);
    }
    return out;
}

std::optional<CachedArtifact> ArtifactCache::describe(const Digest& sha256) const {
    const std::lock_guard lock(mutex_);
    const auto at = entries_.find(sha256);
    if (at == entries_.end()) return std::nullopt;
    return view_of(sha256, *at->second);
}

std::vector<CachedArtifact> ArtifactCache::list() const {
    const std::lock_guard lock(mutex_);
    std::vector<CachedArtifact> out;
    for (const auto& [sha256, entry] : entries_) out.push_back(view_of(sha256, *entry));
    return out;
}

std::uint64_t ArtifactCache::size_bytes() const {
    const std::lock_guard lock(mutex_);
    std::uint64_t total = 0;
    for (const auto& [sha256, entry] : entries_) total += entry->held_bytes();
    return total;
}

}  // namespace clarity
