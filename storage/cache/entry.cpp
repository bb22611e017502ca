#include "storage/cache/entry.hpp"

#include <algorithm>

#include "protocol/codec.hpp"
#include "protocol/sha256.hpp"
#include "storage/files.hpp"

namespace clarity {

namespace {

/// The stored form: the pieces as a bit map, lowest bit first.
struct StoredEntry {
    std::string artifact;
    std::string version;
    std::uint64_t size_bytes = 0;
    std::uint32_t piece_size_bytes = 0;
    bool complete = false;
    std::uint32_t piece_count = 0;
    Bytes bits;
    std::int64_t last_used_unix_s = 0;
    std::string boot_id;
    std::int64_t verified_unix_s = 0;
};

template <class A>
void fields(A& a, StoredEntry& e) {
    a.text("artifact", e.artifact);
    a.text("version", e.version);
    a.value("size", e.size_bytes);
    a.value("piece_size", e.piece_size_bytes);
    a.value("complete", e.complete);
    a.value("pieces", e.piece_count);
    a.bin("bits", e.bits);
    a.value("used", e.last_used_unix_s);
    a.text("boot", e.boot_id);
    a.optional("verified", e.verified_unix_s);
}

}  // namespace

ArtifactCache::Entry ArtifactCache::Entry::of(const Manifest& manifest) {
    Entry out;
    out.artifact = manifest.artifact;
    out.version = manifest.version;
    out.size_bytes = manifest.size_bytes;
    out.piece_size_bytes = manifest.piece_size_bytes;
    out.pieces.resize(manifest.piece_count());
    return out;
}

bool ArtifactCache::Entry::fits(const Manifest& manifest) const {
    return size_bytes == manifest.size_bytes &&
           (complete || (piece_size_bytes == manifest.piece_size_bytes &&
                         pieces.size() == manifest.piece_count()));
}

std::uint64_t ArtifactCache::Entry::held_bytes() const {
    if (complete) return size_bytes;
    const auto held = static_cast<std::uint64_t>(std::count(pieces.begin(), pieces.end(), true));
    return std::min(size_bytes, held * piece_size_bytes);
}

Bytes ArtifactCache::Entry::encode() const {
    StoredEntry stored{artifact,   version,
                       size_bytes, piece_size_bytes,
                       complete,   static_cast<std::uint32_t>(pieces.size()),
                       {},         last_used_unix_s,
                       boot_id,    verified_unix_s};
    stored.bits.resize((pieces.size() + 7) / 8);
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        if (pieces[i]) stored.bits[i / 8] = static_cast<char>(stored.bits[i / 8] | 1 << i % 8);
    }
    return codec::encode(stored);
}

Result<ArtifactCache::Entry> ArtifactCache::Entry::decode(std::string_view bytes) {
    CLARITY_TRY(auto stored, codec::decode<StoredEntry>("cache entry", bytes));
    if (stored.bits.size() != (stored.piece_count + 7ULL) / 8) {
        return fail(Errc::invalid, "cache entry has {} bytes of bits for {} pieces",
                    stored.bits.size(), stored.piece_count);
    }
    Entry out{stored.artifact,         stored.version,  stored.size_bytes,
              stored.piece_size_bytes, stored.complete, std::vector<bool>(stored.piece_count),
              stored.last_used_unix_s, stored.boot_id,  stored.verified_unix_s};
    for (std::size_t i = 0; i < out.pieces.size(); ++i) {
        out.pieces[i] = (static_cast<unsigned char>(stored.bits[i / 8]) >> i % 8 & 1) != 0;
    }
    return out;
}

namespace cache_detail {

Bytes entry_key(const Digest& sha256) {
    return Bytes(entry_prefix) + sha256.bytes();
}

Bytes chunks_key(const Digest& sha256) {
    return Bytes(chunks_prefix) + sha256.bytes();
}

Bytes pin_key(const Digest& sha256, std::string_view owner) {
    return Bytes(pin_prefix) + sha256.bytes() + Bytes(owner);
}

Result<Digest> hash_and_sync(const std::string& path, std::uint64_t size_bytes,
                             const std::stop_token& stop) {
    CLARITY_TRY(auto file, File::open_write(path));
    CLARITY_TRY(const auto size, file.size());
    if (size != size_bytes) {
        return fail(Errc::invalid, "{}: has {} bytes, not {}", path, size, size_bytes);
    }
    Sha256 hash;
    Bytes buffer(1U << 20, '\0');
    for (std::uint64_t at = 0; at < size;) {
        if (stop.stop_requested()) return fail(Errc::cancelled, "stopped");
        CLARITY_TRY(const auto got, file.read_at(buffer.data(), buffer.size(), at));
        if (got == 0) return fail(Errc::io, "{}: became shorter while it was read", path);
        hash.update(std::string_view(buffer).substr(0, got));
        at += got;
    }
    CLARITY_CHECK(file.sync());
    return hash.finish();
}

}  // namespace cache_detail

}  // namespace clarity
