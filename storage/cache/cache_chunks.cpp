// Which chunks the complete artifacts have: their manifests' chunk lists, one value an artifact.
#include "storage/cache/cache.hpp"
#include "storage/cache/entry.hpp"

namespace clarity {

Result<ChunkPlaces> ArtifactCache::find_chunks(const std::vector<Chunk>& wanted) const {
    std::unordered_map<ChunkHash, std::uint32_t, ChunkHashHasher> lengths;
    for (const auto& chunk : wanted) lengths.emplace(chunk.hash, chunk.length);
    ChunkPlaces out;
    CLARITY_CHECK(store_.scan(cache_detail::chunks_prefix, [&](auto key, auto value) {
        const auto sha256 = Digest::from(key.substr(cache_detail::chunks_prefix.size()));
        const auto chunks = parse_chunks(value);
        if (!sha256 || !chunks || !find(*sha256)) return true;
        for (const auto& chunk : *chunks) {
            const auto at = lengths.find(chunk.hash);
            if (at == lengths.end() || at->second != chunk.length) continue;
            out.try_emplace(chunk.hash, ChunkPlace{*sha256, chunk.offset});
        }
        return out.size() < lengths.size();
    }));
    return out;
}

}  // namespace clarity
