#include "storage/ingest.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

#include "protocol/chunker.hpp"
#include "protocol/merkle.hpp"
#include "protocol/sha256_pair.hpp"
#include "storage/files.hpp"

namespace clarity {

namespace {

// Small enough to stay in the processor's cache between the reader and the hashes.
constexpr std::size_t buffer_bytes = 256U << 10;
constexpr std::size_t buffer_count = 16;
constexpr std::size_t worker_count = 2;
static_assert(buffer_bytes % merkle_block_bytes == 0);

/// A part of the file, and where chunks end in it. The producer looks for the ends: it has the
/// least to do.
struct Buffer {
    std::unique_ptr<char[]> data;
    std::size_t size = 0;
    std::vector<std::size_t> cuts;  ///< offsets behind a chunk's last byte

    [[nodiscard]] std::string_view bytes() const { return {data.get(), size}; }
};

/// A ring of buffers that each of the workers reads in order.
class Ring {
  public:
    explicit Ring(std::uint32_t chunk_average) : chunker_(ChunkSizes::around(chunk_average)) {
        for (auto& buffer : buffers_) buffer.data = std::make_unique<char[]>(buffer_bytes);
    }

    /// Room in the buffer being filled; waits until every worker is done with it.
    Ingest::Space space() {
        std::unique_lock lock(mutex_);
        moved_.wait(lock, [&] { return produced_ - slowest() < buffer_count; });
        return {buffers_[produced_ % buffer_count].data.get() + filling_, buffer_bytes - filling_};
    }
    void filled(std::size_t size) {
        filling_ += size;
        if (filling_ == buffer_bytes) publish();
    }
    void close() {
        if (filling_ != 0) publish();
        const std::lock_guard lock(mutex_);
        closed_ = true;
        moved_.notify_all();
    }

    /// The worker's next buffer, or nullptr at the end. Done with it at the next call.
    const Buffer* next(std::size_t worker) {
        std::unique_lock lock(mutex_);
        if (taken_[worker]) {
            ++consumed_[worker];
            moved_.notify_all();
        }
        moved_.wait(lock, [&] { return consumed_[worker] < produced_ || closed_; });
        taken_[worker] = consumed_[worker] < produced_;
        return taken_[worker] ? &buffers_[consumed_[worker] % buffer_count] : nullptr;
    }

  private:
    [[nodiscard]] std::uint64_t slowest() const {
        return *std::min_element(consumed_.begin(), consumed_.end());
    }
    void publish() {
        // Only the producer touches a buffer before it is published.
        auto& buffer = buffers_[produced_ % buffer_count];
        buffer.size = filling_;
        buffer.cuts.clear();
        for (std::size_t at = 0; at < filling_;) {
            const auto step = chunker_.next(buffer.bytes().substr(at));
            at += step.consumed;
            if (step.cut) buffer.cuts.push_back(at);
        }
        filling_ = 0;
        const std::lock_guard lock(mutex_);
        ++produced_;
        moved_.notify_all();
    }

    Chunker chunker_;
    std::mutex mutex_;
    std::condition_variable moved_;
    std::array<Buffer, buffer_count> buffers_;
    std::size_t filling_ = 0;  ///< the producer's: bytes in the buffer not yet published
    std::uint64_t produced_ = 0;
    std::array<std::uint64_t, worker_count> consumed_{};
    std::array<bool, worker_count> taken_{};
    bool closed_ = false;
};

Bytes hash_pieces(Ring& ring, std::size_t worker, std::uint32_t piece_size, bool only) {
    const std::size_t leaves_full = piece_size / merkle_block_bytes;
    Bytes layer;
    std::vector<Digest> leaves;
    const auto add_leaf = [&](const Digest& leaf) {
        leaves.push_back(leaf);
        if (leaves.size() < leaves_full || only) return;
        layer += merkle_root(std::move(leaves), leaves_full).view();
        leaves.clear();
    };
    Sha256Lane even;
    Sha256Lane odd;
    while (const auto* buffer = ring.next(worker)) {
        for (auto bytes = buffer->bytes(); !bytes.empty();) {
            const auto first = bytes.substr(0, merkle_block_bytes);
            bytes.remove_prefix(first.size());
            const auto second = bytes.substr(0, merkle_block_bytes);
            bytes.remove_prefix(second.size());
            Sha256Lane::update_both(even, first, odd, second);
            add_leaf(even.finish());
            if (!second.empty()) add_leaf(odd.finish());
        }
    }
    if (!leaves.empty()) layer += merkle_root(std::move(leaves), only ? 1 : leaves_full).view();
    return layer;
}

/// The whole file's digest and the chunk list: the same bytes in the same order, side by side.
Digest hash_whole_and_chunks(Ring& ring, std::size_t worker, Bytes& list) {
    Sha256Lane whole;
    Sha256Lane chunk;
    std::uint32_t length = 0;
    const auto add = [&](std::string_view part) {
        Sha256Lane::update_both(whole, part, chunk, part);
        length += static_cast<std::uint32_t>(part.size());
    };
    const auto end_chunk = [&] {
        for (unsigned shift = 0; shift < 32; shift += 8) {
            list += static_cast<char>(length >> shift & 0xffU);
        }
        list += chunk.finish().view().substr(0, 16);
        length = 0;
    };
    while (const auto* buffer = ring.next(worker)) {
        std::size_t at = 0;
        for (const auto cut : buffer->cuts) {
            add(buffer->bytes().substr(at, cut - at));
            end_chunk();
            at = cut;
        }
        add(buffer->bytes().substr(at));
    }
    if (length != 0) end_chunk();
    return whole.finish();
}

}  // namespace

struct Ingest::State {
    Manifest manifest;  ///< the workers fill one field each
    std::uint64_t taken = 0;
    std::stop_token stop;
    Ring ring;
    std::vector<std::jthread> workers;

    explicit State(std::uint32_t chunk_average) : ring(chunk_average) {}
    void start() {
        const bool only = manifest.size_bytes <= manifest.piece_size_bytes;
        workers.emplace_back([this, only] {
            manifest.piece_layer = hash_pieces(ring, 0, manifest.piece_size_bytes, only);
        });
        workers.emplace_back(
            [this] { manifest.sha256 = hash_whole_and_chunks(ring, 1, manifest.chunks); });
    }
    void join() {
        ring.close();
        workers.clear();
    }
};

Ingest::Ingest(std::unique_ptr<State> state) : state_(std::move(state)) {}

Ingest::~Ingest() {
    if (state_) state_->join();
}

Result<std::unique_ptr<Ingest>> Ingest::start(std::uint64_t size_bytes,
                                              const IngestSettings& settings) {
    if (size_bytes == 0) return fail(Errc::invalid, "an artifact cannot be empty");
    const std::uint32_t piece =
        settings.piece_size_bytes != 0 ? settings.piece_size_bytes : piece_size_for(size_bytes);
    const std::uint32_t average = settings.chunk_average_bytes != 0 ? settings.chunk_average_bytes
                                                                    : chunk_average_for(size_bytes);
    if (!std::has_single_bit(piece) || piece < merkle_block_bytes || piece > 64U << 20) {
        return fail(Errc::invalid, "piece size {} is not a power of two from 16 KiB to 64 MiB",
                    piece);
    }
    if (!std::has_single_bit(average) || average < 4U << 10 || average > 64U << 20) {
        return fail(Errc::invalid, "chunk average {} is not a power of two from 4 KiB to 64 MiB",
                    average);
    }
    auto state = std::make_unique<State>(average);
    state->manifest.size_bytes = size_bytes;
    state->manifest.piece_size_bytes = piece;
    state->manifest.chunk_average_bytes = average;
    state->stop = settings.stop;
    state->start();
    return std::unique_ptr<Ingest>(new Ingest(std::move(state)));
}

Ingest::Space Ingest::space() {
    return state_->ring.space();
}

Result<void> Ingest::filled(std::size_t size_bytes) {
    auto& state = *state_;
    if (state.stop.stop_requested()) return fail(Errc::cancelled, "stopped");
    state.taken += size_bytes;
    if (state.taken > state.manifest.size_bytes) {
        return fail(Errc::conflict, "it is longer than the {} bytes it was said to have",
                    state.manifest.size_bytes);
    }
    state.ring.filled(size_bytes);
    return {};
}

Result<void> Ingest::write(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto room = space();
        const std::size_t part = std::min(room.size_bytes, bytes.size());
        std::memcpy(room.data, bytes.data(), part);
        CLARITY_CHECK(filled(part));
        bytes.remove_prefix(part);
    }
    return {};
}

Result<Manifest> Ingest::finish() {
    auto& state = *state_;
    state.join();
    if (state.taken != state.manifest.size_bytes) {
        return fail(Errc::conflict, "it ended at byte {} of {}", state.taken,
                    state.manifest.size_bytes);
    }
    return std::move(state.manifest);
}

Result<Manifest> ingest_file(const std::string& path, const IngestSettings& settings,
                             const IngestProgress& progress) {
    CLARITY_TRY(const auto file, File::open_read(path));
    CLARITY_TRY(const auto size, file.size());
    auto ingest = Ingest::start(size, settings);
    if (!ingest) return fail_within(path, std::move(ingest));
    std::uint64_t done = 0;
    for (;;) {
        const auto room = (*ingest)->space();
        CLARITY_TRY(const auto got, file.read_at(room.data, room.size_bytes, done));
        if (got == 0) break;
        done += got;
        if (auto taken = (*ingest)->filled(got); !taken) return fail_within(path, std::move(taken));
        if (progress) progress(done, size);
    }
    auto manifest = (*ingest)->finish();
    if (!manifest) return fail_within(path + ": the file changed", std::move(manifest));
    return manifest;
}

}  // namespace clarity
