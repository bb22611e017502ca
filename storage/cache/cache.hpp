#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <vector>

#include "protocol/chunk_list.hpp"
#include "protocol/manifest.hpp"
#include "storage/cache/eviction.hpp"
#include "storage/kv.hpp"

namespace clarity {

struct CacheSettings {
    std::string root;                  ///< folder; objects/ and partial/ are made in it
    std::uint64_t size_max_bytes = 0;  ///< of complete and partial files; 0 = no limit
    /// collect() starts above the high mark and stops below the low one, in percent of the limit.
    std::uint32_t high_percent = 95;
    std::uint32_t low_percent = 80;
    /// begin() refuses (no_space) what would leave less than this free on the disk.
    std::uint64_t disk_reserve_bytes = 64ULL << 20;
    std::string boot_id = {};  ///< what names this boot of the machine; empty = as the kernel says
};

/// One artifact in the cache.
struct CachedArtifact {
    Digest sha256;
    std::string artifact;
    std::string version;
    std::uint64_t size_bytes = 0;
    std::uint32_t piece_size_bytes = 0;
    bool complete = false;
    std::vector<bool> pieces;      ///< which are on disk; all true when complete
    std::uint64_t held_bytes = 0;  ///< on disk: the whole of it, or its pieces
    std::int64_t last_used_unix_s = 0;
    std::set<std::string> pins;  ///< who needs it: "deploy", "operator", "prefetch"
};

/// What made room, or would.
struct Collection {
    std::uint64_t size_bytes = 0;  ///< before
    std::vector<CachedArtifact> dropped;

    [[nodiscard]] std::uint64_t freed_bytes() const {
        std::uint64_t out = 0;
        for (const auto& each : dropped) out += each.held_bytes;
        return out;
    }
};

/// What became of a damaged artifact.
struct SetAside {
    std::size_t pieces = 0;
    std::size_t bad_pieces = 0;  ///< the others stay: begin() goes on from them
    bool dropped = false;  ///< all of it: no manifest to judge its pieces by, or no reading it
};

/// Where a chunk can be read: in a complete artifact of the cache.
struct ChunkPlace {
    Digest sha256;
    std::uint64_t offset = 0;
};
using ChunkPlaces = std::unordered_map<ChunkHash, ChunkPlace, ChunkHashHasher>;

/// Content-addressed artifacts on this server's disk: `objects/ab/<sha256>` complete and
/// read-only, `partial/<sha256>` in progress (sparse, full length). The index (sizes, pieces,
/// pins, last use) is in the given store under "cache/", so that a start hashes nothing; files
/// that the index does not know are removed at open(), entries whose file is gone are dropped.
///
/// Any thread. begin() (after a reboot), complete() and collect() read or write much: on a
/// worker. Piece marks are not synced: after a kill they hold, after a reboot (another boot id)
/// begin() checks every marked piece against the manifest again.
class ArtifactCache {
  public:
    /// The store must outlive the cache.
    [[nodiscard]] static Result<std::unique_ptr<ArtifactCache>> open(CacheSettings settings,
                                                                     KeyValueStore& store);

    /// Path of the partial file, made at full length where absent; pieces that it already has are
    /// in pieces(). An artifact that is complete: Errc::exists. Errors also no_space.
    [[nodiscard]] Result<std::string> begin(const Manifest& manifest, std::int64_t now_unix_s);
    /// These pieces are verified and written to the partial file.
    [[nodiscard]] Result<void> mark_pieces(const Digest& sha256,
                                           std::span<const std::uint32_t> pieces);
    /// One flag a piece; all true when complete, empty when unknown.
    [[nodiscard]] std::vector<bool> pieces(const Digest& sha256) const;
    /// All bytes are there: hashes the whole file, syncs it, makes it read-only and moves it to
    /// the objects. Returns its final path. On a wrong hash the pieces are checked one by one, the
    /// bad ones unmarked, and the error (invalid) counts them; where every piece is good, it is
    /// the manifest that contradicts itself (conflict). `hashed`: the SHA-256 of the partial file
    /// where the caller took it as the bytes came in; then it is only synced.
    [[nodiscard]] Result<std::string> complete(const Manifest& manifest, std::int64_t now_unix_s,
                                               std::stop_token stop = {},
                                               const Digest* hashed = nullptr);

    /// Path of a complete artifact; nothing for a partial one. Does not read the file.
    [[nodiscard]] std::optional<std::string> find(const Digest& sha256) const;
    /// Path of the file in progress, where there is one.
    [[nodiscard]] std::optional<std::string> find_partial(const Digest& sha256) const;
    [[nodiscard]] std::optional<CachedArtifact> describe(const Digest& sha256) const;
    /// Moves it to the end of the queue of collect().
    void touch(const Digest& sha256, std::int64_t now_unix_s);

    /// Those of the wanted chunks that complete artifacts here have. From the chunk lists that were
    /// kept when they became complete; reads no artifact, so whoever reads a chunk checks it.
    [[nodiscard]] Result<ChunkPlaces> find_chunks(const std::vector<Chunk>& wanted) const;

    /// Keeps an artifact (also one that is not here yet) from collect(), until the same owner
    /// lets go. Durable. Twice is once.
    [[nodiscard]] Result<void> pin(const Digest& sha256, const std::string& owner);
    [[nodiscard]] Result<void> unpin(const Digest& sha256, const std::string& owner);
    /// Replaces all pins of the owners that start with `owner_prefix` by these.
    [[nodiscard]] Result<void> set_pins(const std::string& owner_prefix,
                                        const std::set<std::pair<std::string, Digest>>& pins);

    [[nodiscard]] std::vector<CachedArtifact> list() const;
    [[nodiscard]] std::uint64_t size_bytes() const;  ///< complete + what partials hold
    [[nodiscard]] const CacheSettings& settings() const { return settings_; }
    struct Whole {
        Digest sha256;
        std::int64_t last_used_unix_s = 0;
    };
    /// Every complete artifact, in the order of their digests.
    [[nodiscard]] std::vector<Whole> whole() const;
    /// Everything that is pinned, here or not, with the pins' owners.
    [[nodiscard]] std::map<Digest, std::set<std::string>> pinned() const;

    /// What the owner knows of an artifact that has no pin here: does the site need this copy?
    using Judge = std::function<Keep(const CachedArtifact&)>;
    /// When what is here and `incoming_bytes` more are above the high mark, or the disk lacks room
    /// for them: drops unpinned artifacts as choose_evictions() says. Call it before begin(). Never
    /// fails for want of candidates. `dry_run`: says what would go.
    [[nodiscard]] Result<Collection> collect(const Judge& judge = {},
                                             std::uint64_t incoming_bytes = 0,
                                             bool dry_run = false);
    enum class Verdict { good, damaged, absent };
    /// Reads a complete artifact from the disk (not from the page cache) and hashes it, at most so
    /// many bytes a second, 0 = as fast as it goes. Changes nothing but the time of its last
    /// verification. Errors: cancelled.
    [[nodiscard]] Result<Verdict> verify(const Digest& sha256, std::int64_t now_unix_s,
                                         std::uint64_t rate_bytes_s = 0,
                                         const std::stop_token& stop = {});
    /// The complete artifact whose last verification, or arrival, is the longest ago.
    [[nodiscard]] std::optional<Digest> next_to_verify() const;
    /// Takes a damaged artifact out of service at once, pinned or not: with its manifest it becomes
    /// a partial one that has its good pieces still, without one it is dropped. Reads all of it.
    [[nodiscard]] Result<SetAside> set_aside(const Digest& sha256, const Manifest* manifest);

    /// Drops one artifact, complete or not; conflict when pinned.
    [[nodiscard]] Result<void> remove(const Digest& sha256);

    ~ArtifactCache();

    struct Entry;  ///< of the index on disk: entry.hpp

  private:
    ArtifactCache(CacheSettings settings, KeyValueStore& store);
    [[nodiscard]] Result<void> load();
    [[nodiscard]] Result<void> settle_entries();
    [[nodiscard]] Result<void> sweep_files();
    [[nodiscard]] Result<void> save(const Digest& sha256, const Entry& entry, Sync sync);
    [[nodiscard]] Result<void> drop(const Digest& sha256);
    [[nodiscard]] Result<void> make_partial(const Manifest& manifest);
    [[nodiscard]] Result<std::size_t> recheck(const Manifest& manifest, const std::string& path,
                                              const std::vector<bool>& which);
    [[nodiscard]] std::string object_path(const Digest& sha256) const;
    [[nodiscard]] std::string partial_path(const Digest& sha256) const;
    [[nodiscard]] CachedArtifact view_of(const Digest& sha256, const Entry& entry) const;
    [[nodiscard]] bool is_pinned(const Digest& sha256) const;
    [[nodiscard]] std::uint64_t disk_short_of(std::uint64_t incoming_bytes) const;

    CacheSettings settings_;
    KeyValueStore& store_;
    std::string boot_id_;
    mutable std::mutex mutex_;  ///< guards the two below; never held while a file is hashed
    std::map<Digest, std::unique_ptr<Entry>> entries_;
    std::set<std::pair<std::string, Digest>> pins_;  ///< (owner, artifact)
};

}  // namespace clarity
