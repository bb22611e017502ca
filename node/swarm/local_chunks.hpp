#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "storage/cache/cache.hpp"
#include "storage/files.hpp"

namespace clarity::swarm {

/// The chunks of a wanted artifact that other artifacts in this server's cache have. Every byte is
/// checked as it is read: disks rot, and a chunk that did is fetched instead. Any thread.
class LocalChunks {
  public:
    /// Looks them up in the cache's index; reads no artifact.
    LocalChunks(const ArtifactCache& cache, const std::vector<Chunk>& wanted);

    [[nodiscard]] bool has(std::uint32_t chunk) const;
    [[nodiscard]] std::size_t count() const;
    /// The chunk's bytes; nothing when they are not there any more: has() is false from then on.
    [[nodiscard]] std::optional<Bytes> read(std::uint32_t chunk);

  private:
    const ArtifactCache& cache_;
    const std::vector<Chunk>& wanted_;
    mutable std::mutex mutex_;  ///< guards what follows
    std::vector<std::optional<ChunkPlace>> places_;
    std::map<Digest, std::shared_ptr<const File>> files_;

    [[nodiscard]] std::shared_ptr<const File> file_of(const Digest& sha256);
};

}  // namespace clarity::swarm
