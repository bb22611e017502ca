#include "storage/store_zstd.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "protocol/compression.hpp"
#include "storage/files.hpp"

namespace clarity {

namespace {

void append_u32(Bytes& out, std::uint32_t value) {
    for (unsigned shift = 0; shift < 32; shift += 8)
        out += static_cast<char>(value >> shift & 255U);
}

/// For other tools that read a part of a .zst file; nothing of ours believes it.
Bytes seek_table(const std::vector<std::pair<std::uint32_t, std::uint32_t>>& frames) {
    constexpr std::uint32_t skippable_magic = 0x184D2A5E;
    constexpr std::uint32_t seekable_magic = 0x8F92EAB1;
    Bytes entries;
    for (const auto& [stored, plain] : frames) {
        append_u32(entries, stored);
        append_u32(entries, plain);
    }
    append_u32(entries, static_cast<std::uint32_t>(frames.size()));
    entries += '\0';  // no checksums
    append_u32(entries, seekable_magic);
    Bytes out;
    append_u32(out, skippable_magic);
    append_u32(out, static_cast<std::uint32_t>(entries.size()));
    return out + entries;
}

/// Packs frames on several threads and writes them in order: each thread takes the next frame,
/// packs it and waits for its turn, so that memory stays at one frame a thread.
class Packer {
  public:
    Packer(const File& in, File& out, const std::vector<Chunk>& chunks,
           const std::vector<std::uint32_t>& groups, const StoreSettings& settings,
           const IngestProgress& progress)
        : in_(in),
          out_(out),
          chunks_(chunks),
          groups_(groups),
          settings_(settings),
          progress_(progress) {
        starts_.reserve(groups.size());
        std::uint32_t at = 0;
        for (const auto count : groups) {
            starts_.push_back(at);
            at += count;
        }
    }

    [[nodiscard]] Result<StoredForm> run() {
        {
            std::vector<std::jthread> threads;
            const auto count = std::clamp(std::thread::hardware_concurrency(), 1U, 16U);
            for (unsigned i = 0; i < count; ++i) threads.emplace_back([this] { work(); });
            report();
        }
        if (error_) return tl::unexpected<Error>(std::move(*error_));
        const Bytes table = seek_table(sizes_);
        CLARITY_CHECK(out_.write_at(table, offset_));
        stored_.form = delta::zstd_form;
        stored_.size_bytes = offset_ + table.size();
        return std::move(stored_);
    }

  private:
    const File& in_;
    File& out_;
    const std::vector<Chunk>& chunks_;
    const std::vector<std::uint32_t>& groups_;
    const StoreSettings& settings_;
    const IngestProgress& progress_;
    std::vector<std::uint32_t> starts_;
    std::mutex mutex_;  ///< guards what follows
    std::condition_variable moved_;
    std::size_t taken_ = 0;
    std::size_t written_ = 0;
    std::optional<Error> error_;
    std::uint64_t offset_ = 0;
    StoredForm stored_;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> sizes_;

    [[nodiscard]] bool over() const { return error_ || written_ == groups_.size(); }

    void report() {
        std::unique_lock lock(mutex_);
        while (!over()) {
            const auto before = written_;
            moved_.wait(lock, [&] { return over() || written_ != before; });
            const auto done =
                written_ == 0 ? 0
                              : chunks_[starts_[written_ - 1] + groups_[written_ - 1] - 1].end();
            lock.unlock();
            if (progress_) progress_(done, chunks_.back().end());
            lock.lock();
        }
    }

    void work() {
        while (true) {
            std::size_t group = 0;
            {
                const std::lock_guard lock(mutex_);
                if (error_ || taken_ == groups_.size()) return;
                group = taken_++;
            }
            auto packed = pack(group);
            std::unique_lock lock(mutex_);
            moved_.wait(lock, [&] { return error_ || written_ == group; });
            if (error_) return;
            auto put = packed ? write(group, *packed) : tl::unexpected<Error>(packed.error());
            if (!put) error_ = std::move(put).error();
            else ++written_;
            moved_.notify_all();
        }
    }

    [[nodiscard]] std::uint64_t plain_bytes(std::size_t group) const {
        const auto first = starts_[group];
        return chunks_[first + groups_[group] - 1].end() - chunks_[first].offset;
    }

    [[nodiscard]] Result<Bytes> pack(std::size_t group) const {
        if (settings_.stop.stop_requested()) return fail(Errc::cancelled, "stopped");
        const auto first = starts_[group];
        const auto begin = chunks_[first].offset;
        Bytes plain(plain_bytes(group), '\0');
        CLARITY_TRY(const auto got, in_.read_at(plain.data(), plain.size(), begin));
        bool same = got == plain.size();
        for (std::uint32_t i = 0; same && i < groups_[group]; ++i) {
            const auto& chunk = chunks_[first + i];
            const auto bytes = std::string_view(plain).substr(chunk.offset - begin, chunk.length);
            same = chunk_hash(bytes) == chunk.hash;
        }
        if (!same) return fail(Errc::conflict, "{}: the file changed", in_.path());
        auto packed = compression::pack(plain, {}, settings_.level);
        if (packed.empty()) return fail(Errc::io, "zstd: out of memory");
        return packed;
    }

    [[nodiscard]] Result<void> write(std::size_t group, const Bytes& packed) {
        CLARITY_CHECK(out_.write_at(packed, offset_));
        offset_ += packed.size();
        const auto size = static_cast<std::uint32_t>(packed.size());
        delta::append_frame(stored_.frames, size, static_cast<std::uint16_t>(groups_[group]));
        sizes_.emplace_back(size, static_cast<std::uint32_t>(plain_bytes(group)));
        return {};
    }
};

}  // namespace

std::vector<std::uint32_t> group_chunks(const std::vector<Chunk>& chunks,
                                        const StoreSettings& settings) {
    constexpr std::uint32_t count_max = 65535;  // of the list's two bytes
    std::vector<std::uint32_t> out;
    std::uint64_t bytes = 0;
    bool last_known = false;
    for (const auto& chunk : chunks) {
        const bool known = settings.known && settings.known(chunk.hash);
        if (out.empty() || bytes >= settings.frame_plain_bytes || known != last_known ||
            out.back() == count_max || bytes + chunk.length > delta::frame_plain_max_bytes) {
            out.push_back(0);
            bytes = 0;
        }
        ++out.back();
        bytes += chunk.length;
        last_known = known;
    }
    return out;
}

Result<StoredForm> store_zstd(const std::string& path, const Manifest& manifest,
                              const std::string& output, const StoreSettings& settings,
                              const IngestProgress& progress) {
    CLARITY_TRY(const auto chunks, chunks_of(manifest));
    const bool fit = !chunks.empty() && std::none_of(chunks.begin(), chunks.end(), [](auto& each) {
        return each.length > delta::frame_plain_max_bytes;
    });
    if (!fit) {
        return fail(Errc::invalid, "{}: a chunk is over {} bytes: choose a smaller chunk average",
                    path, delta::frame_plain_max_bytes);
    }
    CLARITY_TRY(const auto in, File::open_read(path));
    const std::string part = output + ".part";
    CLARITY_CHECK(remove_all(part));
    CLARITY_TRY(auto out, File::create(part));
    const auto groups = group_chunks(chunks, settings);
    auto stored = Packer(in, out, chunks, groups, settings, progress).run();
    if (stored) {
        auto kept = out.sync();
        if (kept) kept = rename_durable(part, output);
        if (!kept) stored = tl::unexpected<Error>(std::move(kept).error());
    }
    if (!stored) (void)remove_all(part);
    return stored;
}

}  // namespace clarity
