#include "node/swarm/local_chunks.hpp"

#include <algorithm>

#include "protocol/log/log.hpp"

namespace clarity::swarm {

LocalChunks::LocalChunks(const ArtifactCache& cache, const std::vector<Chunk>& wanted)
    : cache_(cache), wanted_(wanted), places_(wanted.size()) {
    const auto found = cache.find_chunks(wanted);
    if (!found) {
        log::warning("swarm: chunks of other versions are not used: {}", found.error().message);
        return;
    }
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        const auto at = found->find(wanted[i].hash);
        if (at != found->end()) places_[i] = at->second;
    }
}

bool LocalChunks::has(std::uint32_t chunk) const {
    const std::lock_guard lock(mutex_);
    return places_[chunk].has_value();
}

std::size_t LocalChunks::count() const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(
        std::count_if(places_.begin(), places_.end(), [](const auto& each) { return each; }));
}

std::shared_ptr<const File> LocalChunks::file_of(const Digest& sha256) {
    const auto known = files_.find(sha256);
    if (known != files_.end()) return known->second;
    const auto path = cache_.find(sha256);
    auto file = path ? File::open_read(*path) : Result<File>(fail(Errc::not_found, "not here"));
    // Open, it stays readable when the cache drops it.
    const auto shared = file ? std::make_shared<const File>(std::move(*file)) : nullptr;
    files_[sha256] = shared;
    return shared;
}

std::optional<Bytes> LocalChunks::read(std::uint32_t chunk) {
    std::shared_ptr<const File> file;
    std::uint64_t offset = 0;
    {
        const std::lock_guard lock(mutex_);
        if (!places_[chunk]) return std::nullopt;
        offset = places_[chunk]->offset;
        file = file_of(places_[chunk]->sha256);
    }
    Bytes bytes(wanted_[chunk].length, '\0');
    const auto got = file ? file->read_at(bytes.data(), bytes.size(), offset)
                          : Result<std::size_t>(fail(Errc::not_found, "it is gone"));
    if (got && *got == bytes.size() && chunk_hash(bytes) == wanted_[chunk].hash) return bytes;
    const std::lock_guard lock(mutex_);
    if (places_[chunk]) {
        log::debug("swarm: {} has not what its chunk list says at byte {}",
                   places_[chunk]->sha256.hex(), offset);
    }
    places_[chunk].reset();
    return std::nullopt;
}

}  // namespace clarity::swarm
