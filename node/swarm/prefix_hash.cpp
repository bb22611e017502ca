#include "node/swarm/prefix_hash.hpp"

#include <fcntl.h>

#include <algorithm>

namespace clarity::swarm {

Result<void> PrefixHash::advance(std::uint64_t to_bytes, const std::stop_token& stop) {
    const auto to = std::min(to_bytes, size_bytes_);
    if (done_bytes_ >= to) return {};
    CLARITY_TRY(auto file, File::open_read(path_));
    // Behind `to` are holes: to read ahead would fill memory with zeros for them.
    (void)::posix_fadvise(file.descriptor(), 0, 0, POSIX_FADV_RANDOM);
    const auto from = done_bytes_;
    Bytes buffer(256U << 10, '\0');
    while (done_bytes_ < to) {
        if (stop.stop_requested()) return fail(Errc::cancelled, "stopped");
        const auto want = std::min<std::uint64_t>(buffer.size(), to - done_bytes_);
        CLARITY_TRY(const auto got,
                    file.read_at(buffer.data(), static_cast<std::size_t>(want), done_bytes_));
        if (got == 0) return fail(Errc::io, "{}: became shorter while it was read", path_);
        hash_.update(std::string_view(buffer).substr(0, got));
        done_bytes_ += got;
    }
    // Only a beginning: whether it succeeds, the sync at the end tells.
    (void)::sync_file_range(file.descriptor(), static_cast<off64_t>(from),
                            static_cast<off64_t>(done_bytes_ - from), SYNC_FILE_RANGE_WRITE);
    return {};
}

Result<Digest> PrefixHash::finish(const std::stop_token& stop) {
    CLARITY_CHECK(advance(size_bytes_, stop));
    return hash_.finish();
}

}  // namespace clarity::swarm
