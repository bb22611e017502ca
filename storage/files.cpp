#include "storage/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

namespace clarity {

namespace {

std::string temporary_beside(const std::string& path) {
    static std::atomic<unsigned> counter{0};
    return fmt::format("{}.tmp-{}-{}", path, ::getpid(), counter++);
}

using Kind = FileOperation::Kind;
std::atomic<FileTap*> file_tap{nullptr};

/// Whether a test lets the change happen; if not, errno says why.
bool may(Kind kind, const std::string& path, const std::string& to = {}) {
    auto* tap = file_tap.load(std::memory_order_acquire);
    if (tap == nullptr) return true;
    errno = tap->before({kind, path, to});
    return errno == 0;
}

/// Removes a file on every way out but the good one.
struct Leftover {
    std::string path;
    ~Leftover() {
        if (!path.empty()) ::unlink(path.c_str());
    }
};

}  // namespace

Error file_error(std::string_view action, const std::string& path, int errno_value) {
    const std::string reason = std::generic_category().message(errno_value);
    const auto make = [&](Errc code, std::string_view advice) {
        return Error{code, fmt::format("{}: cannot {}: {}{}{}", path, action, reason,
                                       advice.empty() ? "" : "; ", advice)};
    };
    switch (errno_value) {
        case ENOENT: return make(Errc::not_found, "");
        case EEXIST: return make(Errc::exists, "");
        case EACCES:
        case EPERM: return make(Errc::denied, "check the owner and mode of it and its folders");
        case EROFS: return make(Errc::denied, "the file system is mounted read-only");
        case ENOSPC: return make(Errc::no_space, "free some space on this file system");
        case EDQUOT: return make(Errc::no_space, "the user's disk quota is used up");
        case EFBIG: return make(Errc::no_space, "the file size limit is reached");
        case EMFILE:
        case ENFILE: return make(Errc::io, "raise the limit of open files (LimitNOFILE)");
        default: return make(Errc::io, "");
    }
}

std::string parent_dir(const std::string& path) {
    const auto parent = std::filesystem::path(path).parent_path().string();
    return parent.empty() ? "." : parent;
}

Result<Bytes> read_file(const std::string& path, std::size_t size_max_bytes) {
    CLARITY_TRY(auto file, File::open_read(path));
    CLARITY_TRY(const auto size, file.size());
    if (size > size_max_bytes) {
        return fail(Errc::invalid, "{}: {} bytes is over the limit of {}", path, size,
                    size_max_bytes);
    }
    // Files of /proc and pipes tell no size: read on until the end or the limit.
    Bytes out(size == 0 ? std::min<std::size_t>(size_max_bytes, 4096) : size, '\0');
    std::size_t filled = 0;
    for (;;) {
        const auto got = ::read(file.descriptor(), out.data() + filled, out.size() - filled);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return tl::unexpected(file_error("read", path, errno));
        if (got == 0 && filled < out.size()) break;
        filled += static_cast<std::size_t>(got);
        if (filled < out.size()) continue;
        char more = 0;
        const auto extra = ::read(file.descriptor(), &more, 1);
        if (extra <= 0) break;
        if (filled >= size_max_bytes) {
            return fail(Errc::invalid, "{}: over the limit of {} bytes", path, size_max_bytes);
        }
        out.resize(std::min(size_max_bytes, out.size() * 2 + 1));
        out[filled++] = more;
    }
    out.resize(filled);
    return out;
}

Result<void> write_file_atomic(const std::string& path, std::string_view bytes, mode_t mode) {
    Leftover temporary{temporary_beside(path)};
    // Messages name the file that was asked for, not the one beside it.
    const auto named = [&, beside = temporary.path](Error error) {
        if (error.message.starts_with(beside)) error.message.replace(0, beside.size(), path);
        return tl::unexpected(std::move(error));
    };
    {
        auto file = File::create(temporary.path, mode);
        if (!file) {
            temporary.path.clear();
            return named(std::move(file).error());
        }
        // The mode is what was asked for, whatever the umask: secrets and shared files rely on it.
        if (!may(Kind::mode, temporary.path) || ::fchmod(file->descriptor(), mode) != 0) {
            return tl::unexpected(file_error("set the mode", path, errno));
        }
        if (auto written = file->write_at(bytes, 0); !written) {
            return named(std::move(written).error());
        }
        if (!may(Kind::sync, temporary.path) || ::fsync(file->descriptor()) != 0) {
            return tl::unexpected(file_error("write", path, errno));
        }
    }
    if (!may(Kind::rename, temporary.path, path) ||
        ::rename(temporary.path.c_str(), path.c_str()) != 0) {
        return tl::unexpected(file_error("replace", path, errno));
    }
    temporary.path.clear();
    return sync_dir(parent_dir(path));
}

namespace {

Result<void> make_each_dir(const std::string& path, mode_t mode, bool durable) {
    if (path.empty()) return fail(Errc::invalid, "cannot make a folder: its path is empty");
    for (std::size_t at = 1; at <= path.size(); ++at) {
        if (at != path.size() && path[at] != '/') continue;
        const std::string part = path.substr(0, at);
        struct stat info {};
        if (::stat(part.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) continue;
        if (may(Kind::make_dir, part) && ::mkdir(part.c_str(), mode) == 0) {
            if (durable) CLARITY_CHECK(sync_dir(parent_dir(part)));
            continue;
        }
        const int reason = errno;
        if (::stat(part.c_str(), &info) != 0) {
            return tl::unexpected(file_error("make the folder", part, reason));
        }
        if (!S_ISDIR(info.st_mode)) {
            return fail(Errc::exists, "{}: cannot make the folder: a file is in its place", part);
        }
    }
    return {};
}

}  // namespace

Result<void> make_dirs(const std::string& path, mode_t mode) {
    return make_each_dir(path, mode, false);
}

Result<void> make_dirs_durable(const std::string& path, mode_t mode) {
    return make_each_dir(path, mode, true);
}

Result<void> remove_all(const std::string& path) {
    if (file_exists(path) && !may(Kind::remove, path)) {
        return tl::unexpected(file_error("remove", path, errno));
    }
    std::error_code error;
    std::filesystem::remove_all(path, error);
    if (error) return tl::unexpected(file_error("remove", path, error.value()));
    return {};
}

Result<void> rename_durable(const std::string& from, const std::string& to) {
    if (!may(Kind::rename, from, to) || ::rename(from.c_str(), to.c_str()) != 0) {
        return tl::unexpected(file_error("rename to " + to, from, errno));
    }
    CLARITY_CHECK(sync_dir(parent_dir(to)));
    return parent_dir(from) == parent_dir(to) ? Result<void>{} : sync_dir(parent_dir(from));
}

Result<void> sync_dir(const std::string& path) {
    if (!may(Kind::sync_dir, path)) return tl::unexpected(file_error("sync", path, errno));
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return tl::unexpected(file_error("open", path, errno));
    const int answer = ::fsync(descriptor);
    const int reason = errno;
    ::close(descriptor);
    // Some file systems (FUSE, 9p) cannot sync a folder; there is nothing better to do on them.
    if (answer != 0 && reason != EINVAL && reason != ENOTSUP) {
        return tl::unexpected(file_error("sync", path, reason));
    }
    return {};
}

Result<void> change_mode(const std::string& path, mode_t mode) {
    if (!may(Kind::mode, path) || ::chmod(path.c_str(), mode) != 0) {
        return tl::unexpected(file_error("set the mode", path, errno));
    }
    return {};
}

void tap_files(FileTap* tap) {
    file_tap.store(tap, std::memory_order_release);
}

bool file_exists(const std::string& path) {
    struct stat info {};
    return ::lstat(path.c_str(), &info) == 0;
}

Result<std::uint64_t> file_size(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return tl::unexpected(file_error("read", path, errno));
    return static_cast<std::uint64_t>(info.st_size);
}

Result<std::uint64_t> free_space_bytes(const std::string& path) {
    struct statvfs info {};
    if (::statvfs(path.c_str(), &info) != 0) {
        return tl::unexpected(file_error("ask for the free space", path, errno));
    }
    return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
}

File::~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

File::File(File&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), path_(std::move(other.path_)) {}

File& File::operator=(File&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    std::swap(path_, other.path_);
    return *this;
}

Result<File> File::open_read(const std::string& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return tl::unexpected(file_error("open", path, errno));
    struct stat info {};
    if (::fstat(descriptor, &info) == 0 && S_ISDIR(info.st_mode)) {
        ::close(descriptor);
        return tl::unexpected(file_error("open", path, EISDIR));
    }
    return File(descriptor, path);
}

Result<File> File::open_write(const std::string& path, mode_t mode) {
    const bool is_new = !file_exists(path);
    const bool allowed = !is_new || may(Kind::create, path);
    const int descriptor = allowed ? ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, mode) : -1;
    if (descriptor < 0) return tl::unexpected(file_error("open for writing", path, errno));
    return File(descriptor, path);
}

Result<File> File::create(const std::string& path, mode_t mode) {
    const int descriptor = may(Kind::create, path)
                               ? ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode)
                               : -1;
    if (descriptor < 0) return tl::unexpected(file_error("create", path, errno));
    return File(descriptor, path);
}

Result<std::size_t> File::read_at(char* buffer, std::size_t size, std::uint64_t offset) const {
    std::size_t filled = 0;
    while (filled < size) {
        const auto got = ::pread(descriptor_, buffer + filled, size - filled,
                                 static_cast<off_t>(offset + filled));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return tl::unexpected(file_error("read", path_, errno));
        if (got == 0) break;
        filled += static_cast<std::size_t>(got);
    }
    return filled;
}

Result<void> File::write_at(std::string_view bytes, std::uint64_t offset) {
    if (!may(Kind::write, path_)) return tl::unexpected(file_error("write", path_, errno));
    while (!bytes.empty()) {
        const auto put =
            ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return tl::unexpected(file_error("write", path_, errno));
        bytes.remove_prefix(static_cast<std::size_t>(put));
        offset += static_cast<std::uint64_t>(put);
    }
    return {};
}

Result<void> File::resize(std::uint64_t size_bytes) {
    if (!may(Kind::resize, path_) ||
        ::ftruncate(descriptor_, static_cast<off_t>(size_bytes)) != 0) {
        return tl::unexpected(file_error("set the length", path_, errno));
    }
    return {};
}

Result<void> File::sync() {
    if (!may(Kind::sync, path_) || ::fdatasync(descriptor_) != 0) {
        return tl::unexpected(file_error("sync", path_, errno));
    }
    return {};
}

Result<std::uint64_t> File::size() const {
    struct stat info {};
    if (::fstat(descriptor_, &info) != 0) return tl::unexpected(file_error("read", path_, errno));
    return static_cast<std::uint64_t>(info.st_size);
}

}  // namespace clarity
