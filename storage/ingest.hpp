#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "protocol/manifest.hpp"

namespace clarity {

/// How to cut an artifact up; zeros choose by size.
struct IngestSettings {
    std::uint32_t piece_size_bytes = 0;     ///< power of two ≥ 16 KiB; 0 = piece_size_for(size)
    std::uint32_t chunk_average_bytes = 0;  ///< power of two; 0 = chunk_average_for(size)
    std::stop_token stop = {};              ///< ends with Errc::cancelled
};

/// Called from the caller's thread after each buffer.
using IngestProgress = std::function<void(std::uint64_t bytes, std::uint64_t total)>;

/// Reads an artifact once and fills the hash fields of its Manifest: sha256, size_bytes, piece
/// size and layer, chunk list. One worker thread hashes the pieces, one the whole and the chunks,
/// over a ring of buffers, so memory is constant (4 MiB and the lists).
/// For bytes that are pushed (a download's sink); use ingest_file() for a file. One caller thread.
class Ingest {
  public:
    /// The size must be known before (it decides the piece size); fails with invalid on 0.
    [[nodiscard]] static Result<std::unique_ptr<Ingest>> start(std::uint64_t size_bytes,
                                                               const IngestSettings& settings);
    ~Ingest();

    /// The next bytes; blocks while the workers are behind. Fails when there are more than `size`.
    [[nodiscard]] Result<void> write(std::string_view bytes);
    /// The manifest with the hash fields filled; fails when bytes are missing.
    [[nodiscard]] Result<Manifest> finish();

    /// A buffer to fill in place, and how much of it was filled: saves write()'s copy.
    struct Space {
        char* data;
        std::size_t size_bytes;
    };
    [[nodiscard]] Space space();
    [[nodiscard]] Result<void> filled(std::size_t size_bytes);

  private:
    struct State;
    explicit Ingest(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

[[nodiscard]] Result<Manifest> ingest_file(const std::string& path,
                                           const IngestSettings& settings = {},
                                           const IngestProgress& progress = {});

}  // namespace clarity
