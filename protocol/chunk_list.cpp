#include "protocol/chunk_list.hpp"

#include "protocol/sha256.hpp"

namespace clarity {

std::size_t ChunkHashHasher::operator()(const ChunkHash& hash) const {
    std::size_t out = 0;
    std::memcpy(&out, hash.data.data(), sizeof(out));
    return out;
}

ChunkHash chunk_hash(std::string_view bytes) {
    return *ChunkHash::from(sha256(bytes).view().substr(0, ChunkHash::size_bytes));
}

Result<std::vector<Chunk>> parse_chunks(std::string_view list) {
    if (list.size() % chunk_entry_bytes != 0) return fail(Errc::invalid, "chunk list is cut");
    std::vector<Chunk> out;
    out.reserve(list.size() / chunk_entry_bytes);
    std::uint64_t offset = 0;
    for (; !list.empty(); list.remove_prefix(chunk_entry_bytes)) {
        Chunk chunk;
        chunk.offset = offset;
        for (unsigned i = 0; i < 4; ++i) {
            chunk.length |= std::uint32_t{static_cast<unsigned char>(list[i])} << (8 * i);
        }
        if (chunk.length == 0 || chunk.length > chunk_max_bytes) {
            return fail(Errc::invalid, "chunk {} has {} bytes", out.size(), chunk.length);
        }
        std::memcpy(chunk.hash.data.data(), list.data() + 4, ChunkHash::size_bytes);
        offset = chunk.end();
        out.push_back(chunk);
    }
    return out;
}

Result<std::vector<Chunk>> chunks_of(const Manifest& manifest) {
    auto out = parse_chunks(manifest.chunks);
    if (!out) return fail_within("manifest " + manifest.artifact, std::move(out));
    if (!out->empty() && out->back().end() != manifest.size_bytes) {
        return fail(Errc::invalid, "manifest {}: its chunks have {} bytes, the artifact {}",
                    manifest.artifact, out->back().end(), manifest.size_bytes);
    }
    return out;
}

}  // namespace clarity
