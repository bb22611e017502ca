#include "node/swarm/disk_io.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libtorrent/add_torrent_params.hpp>
#include <libtorrent/disk_buffer_holder.hpp>
#include <libtorrent/disk_observer.hpp>
#include <libtorrent/file_storage.hpp>
#include <libtorrent/hasher.hpp>
#include <libtorrent/operations.hpp>
#include <libtorrent/peer_request.hpp>
#include <libtorrent/performance_counters.hpp>
#include <libtorrent/storage_defs.hpp>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "protocol/sha256.hpp"

namespace clarity::swarm {

namespace {

constexpr int block_bytes = 16 << 10;
constexpr std::size_t open_files_max = 128;
/// Room behind a block for the next message's header. libtorrent puts it there, and Boost's TLS
/// stream then finds one long buffer to send instead of a short one that it must copy together
/// with half of a block: three TLS records for two blocks instead of four.
constexpr std::size_t tail_bytes = 128;

lt::storage_error error_of(int number, lt::operation_t operation) {
    lt::storage_error out(lt::error_code(number, boost::system::system_category()));
    out.file(lt::file_index_t{0});
    out.operation = operation;
    return out;
}

lt::sha256_hash block_hash(const char* data, std::size_t size) {
    const auto digest = sha256({data, size});
    return lt::sha256_hash(digest.view().data());
}

/// Reads exactly `size` bytes; 0 or errno. The end of the file is an error: what libtorrent asks
/// for is there.
int read_all(int fd, char* to, std::size_t size, std::int64_t offset) {
    while (size > 0) {
        const auto got = ::pread(fd, to, size, offset);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return got == 0 ? EIO : errno;
        to += got, offset += got, size -= static_cast<std::size_t>(got);
    }
    return 0;
}

int write_all(int fd, const char* from, std::size_t size, std::int64_t offset) {
    while (size > 0) {
        const auto put = ::pwrite(fd, from, size, offset);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) return put == 0 ? EIO : errno;
        from += put, offset += put, size -= static_cast<std::size_t>(put);
    }
    return 0;
}

/// The hashes of a piece's blocks that were written since it was begun.
struct WrittenPiece {
    std::vector<lt::sha256_hash> hashes;
    std::vector<bool> known;
};

struct Storage {
    const lt::file_storage* files = nullptr;
    std::string folder;
    std::string name;
    std::shared_ptr<void> torrent;  ///< keeps `files` alive
    int fd = -1;
    std::uint64_t used = 0;
    std::unordered_map<int, WrittenPiece> written;

    [[nodiscard]] std::string path() const { return folder + "/" + name; }
    [[nodiscard]] std::int64_t offset(lt::piece_index_t piece, int start) const {
        return static_cast<std::int64_t>(static_cast<int>(piece)) * files->piece_length() + start;
    }
    /// What of a block is in the file: 2.0.8 asks for and writes the last piece of a v2 file as if
    /// it were a full one, with zeros behind the file's end.
    [[nodiscard]] std::size_t real_bytes(const lt::peer_request& block) const {
        return static_cast<std::size_t>(
            std::clamp(files->piece_size2(block.piece) - block.start, 0, block.length));
    }
    void close() {
        if (fd >= 0) ::close(fd);
        fd = -1;
    }
};

class DiskIo final : public lt::disk_interface, public lt::buffer_allocator_interface {
  public:
    explicit DiskIo(lt::io_context& context) : context_(context) {}
    ~DiskIo() override {
        for (auto& [index, storage] : storages_) storage.close();
    }
    DiskIo(const DiskIo&) = delete;
    DiskIo& operator=(const DiskIo&) = delete;

    lt::storage_holder new_torrent(const lt::storage_params& params,
                                   const std::shared_ptr<void>& torrent) override {
        const lt::storage_index_t index(next_++);
        auto& storage = storages_[index];
        storage.files = &params.files;
        storage.folder = params.path;
        const auto& named = params.mapped_files != nullptr ? *params.mapped_files : params.files;
        storage.name = named.file_path(lt::file_index_t{0});
        storage.torrent = torrent;
        return {index, *this};
    }
    void remove_torrent(lt::storage_index_t index) override {
        const auto at = storages_.find(index);
        if (at == storages_.end()) return;
        at->second.close();
        storages_.erase(at);
    }

    void async_read(lt::storage_index_t index, const lt::peer_request& request,
                    std::function<void(lt::disk_buffer_holder, const lt::storage_error&)> handler,
                    lt::disk_job_flags_t) override {
        lt::storage_error error;
        lt::disk_buffer_holder buffer;
        auto& storage = storages_.at(index);
        if (open(storage, error)) {
            const auto size = static_cast<std::size_t>(request.length);
            buffer = lt::disk_buffer_holder(*this, new char[size + tail_bytes],
                                            static_cast<int>(size + tail_bytes));
            const auto real = storage.real_bytes(request);
            std::fill(buffer.data() + real, buffer.data() + size, '\0');
            const int number = read_all(storage.fd, buffer.data(), real,
                                        storage.offset(request.piece, request.start));
            if (number != 0) {
                error = error_of(number, lt::operation_t::file_read);
                buffer.reset();
            }
        }
        post([handler = std::move(handler), error,
              held = std::make_shared<lt::disk_buffer_holder>(std::move(buffer))] {
            handler(std::move(*held), error);
        });
    }

    bool async_write(lt::storage_index_t index, const lt::peer_request& request, const char* bytes,
                     std::shared_ptr<lt::disk_observer>,
                     std::function<void(const lt::storage_error&)> handler,
                     lt::disk_job_flags_t) override {
        lt::storage_error error;
        auto& storage = storages_.at(index);
        auto block = request;
        const auto size = storage.real_bytes(request);
        block.length = static_cast<int>(size);
        if (open(storage, error)) {
            note_hash(storage, block, bytes);
            const int number =
                write_all(storage.fd, bytes, size, storage.offset(request.piece, request.start));
            if (number != 0) {
                storage.written.erase(static_cast<int>(request.piece));
                error = error_of(number, lt::operation_t::file_write);
            }
        }
        post([handler = std::move(handler), error] { handler(error); });
        return false;  // never full: it is written
    }

    void async_hash(
        lt::storage_index_t index, lt::piece_index_t piece, lt::span<lt::sha256_hash> v2,
        lt::disk_job_flags_t,
        std::function<void(lt::piece_index_t, const lt::sha1_hash&, const lt::storage_error&)>
            handler) override {
        lt::storage_error error;
        auto& storage = storages_.at(index);
        const auto found = storage.written.find(static_cast<int>(piece));
        for (int block = 0; block < v2.size() && !error; ++block) {
            const auto at = static_cast<std::size_t>(block);
            if (found != storage.written.end() && at < found->second.known.size() &&
                found->second.known[at]) {
                v2[block] = found->second.hashes[at];
            } else {
                v2[block] = read_hash(storage, piece, block * block_bytes, error);
            }
        }
        if (found != storage.written.end()) storage.written.erase(found);
        post([handler = std::move(handler), piece, error] {
            handler(piece, lt::sha1_hash(), error);  // v1 hashes are never asked for
        });
    }

    void async_hash2(
        lt::storage_index_t index, lt::piece_index_t piece, int offset, lt::disk_job_flags_t,
        std::function<void(lt::piece_index_t, const lt::sha256_hash&, const lt::storage_error&)>
            handler) override {
        lt::storage_error error;
        const auto hash = read_hash(storages_.at(index), piece, offset, error);
        post([handler = std::move(handler), piece, hash, error] { handler(piece, hash, error); });
    }

    /// The file was moved there already: only its place is noted. The descriptor stays good.
    void async_move_storage(
        lt::storage_index_t index, std::string folder, lt::move_flags_t,
        std::function<void(lt::status_t, const std::string&, const lt::storage_error&)> handler)
        override {
        auto& storage = storages_.at(index);
        lt::storage_error error;
        auto status = lt::status_t::no_error;
        if (::access((folder + "/" + storage.name).c_str(), R_OK) == 0) {
            storage.folder = folder;
        } else {
            error = error_of(errno, lt::operation_t::file_rename);
            status = lt::status_t::fatal_disk_error;
        }
        post([handler = std::move(handler), status, where = storage.folder, error] {
            handler(status, where, error);
        });
    }

    /// The descriptor is kept: it serves on while the file is being renamed.
    void async_release_files(lt::storage_index_t, std::function<void()> handler) override {
        if (handler) post(std::move(handler));
    }
    void async_stop_torrent(lt::storage_index_t index, std::function<void()> handler) override {
        if (const auto at = storages_.find(index); at != storages_.end()) at->second.close();
        if (handler) post(std::move(handler));
    }

    void async_check_files(
        lt::storage_index_t index, const lt::add_torrent_params* resume,
        lt::aux::vector<std::string, lt::file_index_t>,
        std::function<void(lt::status_t, const lt::storage_error&)> handler) override {
        lt::storage_error error;
        auto status = lt::status_t::no_error;
        const bool has = resume != nullptr && resume->have_pieces.count() > 0;
        if (has && !open(storages_.at(index), error)) status = lt::status_t::fatal_disk_error;
        post([handler = std::move(handler), status, error] { handler(status, error); });
    }

    void async_rename_file(
        lt::storage_index_t, lt::file_index_t file, std::string name,
        std::function<void(const std::string&, lt::file_index_t, const lt::storage_error&)> handler)
        override {
        const auto error = error_of(ENOTSUP, lt::operation_t::file_rename);
        post([handler = std::move(handler), name = std::move(name), file, error] {
            handler(name, file, error);
        });
    }
    /// Files belong to the cache.
    void async_delete_files(lt::storage_index_t, lt::remove_flags_t,
                            std::function<void(const lt::storage_error&)> handler) override {
        const auto error = error_of(ENOTSUP, lt::operation_t::file_remove);
        post([handler = std::move(handler), error] { handler(error); });
    }
    void async_set_file_priority(
        lt::storage_index_t, lt::aux::vector<lt::download_priority_t, lt::file_index_t> priorities,
        std::function<void(const lt::storage_error&,
                           lt::aux::vector<lt::download_priority_t, lt::file_index_t>)>
            handler) override {
        post([handler = std::move(handler), priorities = std::move(priorities)] {
            handler(lt::storage_error(), priorities);
        });
    }
    void async_clear_piece(lt::storage_index_t index, lt::piece_index_t piece,
                           std::function<void(lt::piece_index_t)> handler) override {
        storages_.at(index).written.erase(static_cast<int>(piece));
        post([handler = std::move(handler), piece] { handler(piece); });
    }

    void update_stats_counters(lt::counters&) const override {}
    std::vector<lt::open_file_state> get_status(lt::storage_index_t) const override { return {}; }
    void abort(bool) override {}
    void submit_jobs() override {}
    void settings_updated() override {}

    void free_disk_buffer(char* buffer) override { delete[] buffer; }

  private:
    lt::io_context& context_;
    std::map<lt::storage_index_t, Storage> storages_;
    std::uint32_t next_ = 0;
    std::uint64_t uses_ = 0;

    /// Handlers never run from inside the call that they answer.
    template <class Job>
    void post(Job&& job) {
        boost::asio::post(context_, std::forward<Job>(job));
    }

    [[nodiscard]] bool open(Storage& storage, lt::storage_error& error) {
        storage.used = ++uses_;
        if (storage.fd >= 0) return true;
        close_one_if_many();
        const auto path = storage.path();
        storage.fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
        if (storage.fd < 0 && (errno == EACCES || errno == EROFS)) {
            storage.fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        }
        if (storage.fd < 0) error = error_of(errno, lt::operation_t::file_open);
        if (storage.fd >= 0) no_read_ahead_into_holes(storage.fd);
        return storage.fd >= 0;
    }

    /// What comes in is read while it is still in the page cache. Reading ahead would find the
    /// holes of what has yet to come, and fill memory with zeros for them.
    static void no_read_ahead_into_holes(int fd) {
        struct stat now = {};
        const bool holes = ::fstat(fd, &now) == 0 && now.st_blocks * 512 < now.st_size;
        if (holes) (void)::posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
    }

    void close_one_if_many() {
        std::size_t count = 0;
        Storage* oldest = nullptr;
        for (auto& [index, storage] : storages_) {
            if (storage.fd < 0) continue;
            ++count;
            if (oldest == nullptr || storage.used < oldest->used) oldest = &storage;
        }
        if (count >= open_files_max) oldest->close();
    }

    static void note_hash(Storage& storage, const lt::peer_request& request, const char* bytes) {
        const auto blocks =
            static_cast<std::size_t>(storage.files->blocks_in_piece2(request.piece));
        const auto block = static_cast<std::size_t>(request.start / block_bytes);
        if (request.start % block_bytes != 0 || block >= blocks || request.length > block_bytes) {
            return;
        }
        auto& piece = storage.written[static_cast<int>(request.piece)];
        piece.hashes.resize(blocks);
        piece.known.resize(blocks);
        piece.hashes[block] = block_hash(bytes, static_cast<std::size_t>(request.length));
        piece.known[block] = true;
    }

    [[nodiscard]] lt::sha256_hash read_hash(Storage& storage, lt::piece_index_t piece, int start,
                                            lt::storage_error& error) {
        if (!open(storage, error)) return {};
        char block[block_bytes];
        const auto size = static_cast<std::size_t>(
            std::clamp(storage.files->piece_size2(piece) - start, 0, block_bytes));
        const int number = read_all(storage.fd, block, size, storage.offset(piece, start));
        if (number != 0) error = error_of(number, lt::operation_t::file_read);
        return number == 0 ? block_hash(block, size) : lt::sha256_hash();
    }
};

}  // namespace

std::unique_ptr<lt::disk_interface> make_disk_io(lt::io_context& context,
                                                 const lt::settings_interface&, lt::counters&) {
    return std::make_unique<DiskIo>(context);
}

}  // namespace clarity::swarm
