#pragma once

#include <map>
#include <mutex>
#include <vector>

#include "node/swarm/landing.hpp"
#include "node/swarm/local_chunks.hpp"
#include "protocol/delta.hpp"

namespace clarity::swarm {

/// Makes pieces out of chunks: those that a repository sends, as they come, and those that are
/// here. A piece is built in memory when its first chunk comes, and handed on when its last one
/// is there. Any thread.
class PieceBuilder {
  public:
    PieceBuilder(std::shared_ptr<const Manifest> manifest, const delta::Layout& layout,
                 LocalChunks& local, Landing& landing, std::shared_ptr<FetchCounters> counters);

    /// Looks again at what the site lacks. What was begun is kept.
    void plan();
    /// Pieces the site lacks for which every chunk is here, as of plan().
    [[nodiscard]] const std::vector<std::uint32_t>& from_here() const { return from_here_; }
    /// Which units of the repository's file are still to come, for which pieces wait.
    [[nodiscard]] std::vector<bool> missing_units() const;
    /// The site lacks a piece that waits for a chunk of this unit.
    [[nodiscard]] bool is_needed(std::uint32_t unit) const;

    /// Builds one of from_here(). Fails as put() does.
    [[nodiscard]] Result<void> build(std::uint32_t piece);
    /// A chunk's bytes, its hash checked. Fails (conflict) where a piece of right chunks has a
    /// wrong hash: the manifest contradicts itself.
    [[nodiscard]] Result<void> put(std::uint32_t chunk, std::string_view bytes);

  private:
    /// A piece that waits for chunks.
    struct Open {
        std::vector<std::uint32_t> missing;  ///< chunks
        std::vector<std::uint32_t> local;    ///< copied in when nothing is missing any more
        Bytes bytes;                         ///< none before the first chunk
    };

    std::shared_ptr<const Manifest> manifest_;
    const delta::Layout& layout_;
    LocalChunks& local_;
    Landing& landing_;
    std::shared_ptr<FetchCounters> counters_;
    const std::vector<std::uint32_t> units_;  ///< by chunk
    std::vector<std::uint32_t> from_here_;
    mutable std::mutex mutex_;  ///< guards open_
    std::map<std::uint32_t, Open> open_;

    [[nodiscard]] Open open_for(std::uint32_t piece) const;
    [[nodiscard]] Result<void> finish(std::uint32_t piece, Open open);
    void copy(std::uint32_t piece, std::uint32_t chunk, std::string_view bytes, Bytes& out) const;
    [[nodiscard]] std::uint64_t begin_of(std::uint32_t piece) const;
    [[nodiscard]] std::uint64_t end_of(std::uint32_t piece) const;
    [[nodiscard]] std::uint32_t first_chunk_at(std::uint64_t offset) const;
    [[nodiscard]] std::uint32_t piece_at(std::uint64_t offset) const;
};

}  // namespace clarity::swarm
