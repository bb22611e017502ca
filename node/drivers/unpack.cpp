#include "node/drivers/unpack.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>

#include "node/drivers/libarchive.hpp"
#include "storage/files.hpp"

namespace clarity {
namespace {

constexpr std::size_t block_bytes = 1U << 18;

struct FreeReader {
    void operator()(archive* a) const { libarchive().read_free(a); }
};
struct FreeWriter {
    void operator()(archive* a) const { libarchive().write_free(a); }
};
using Reader = std::unique_ptr<archive, FreeReader>;
using Writer = std::unique_ptr<archive, FreeWriter>;

std::string reason(archive* a) {
    const char* text = libarchive().error_string(a);
    return text == nullptr ? "unknown error" : text;
}

Reader open_reader(const std::string& path) {
    Reader reader(libarchive().read_new());
    libarchive().read_support_filter_all(reader.get());
    libarchive().read_support_format_tar(reader.get());
    libarchive().read_support_format_zip(reader.get());
    libarchive().read_support_format_cpio(reader.get());
    if (libarchive().read_open_filename(reader.get(), path.c_str(), block_bytes) != ARCHIVE_OK) {
        return nullptr;
    }
    return reader;
}

/// "./a/b" → "a/b"; refuses what points outside.
Result<std::string> inner_path(const char* raw) {
    std::string_view path = raw == nullptr ? "" : raw;
    if (path.empty()) return fail(Errc::invalid, "an entry has no name");
    if (path.front() == '/') return fail(Errc::invalid, "entry \"{}\" is absolute", path);
    std::string out;
    while (!path.empty()) {
        const auto slash = path.find('/');
        const auto part = path.substr(0, slash);
        path = slash == std::string_view::npos ? "" : path.substr(slash + 1);
        if (part.empty() || part == ".") continue;
        if (part == "..") return fail(Errc::invalid, "entry \"{}\" leaves the folder", raw);
        out += (out.empty() ? "" : "/") + std::string(part);
    }
    return out;
}

Result<void> copy_data(archive* from, archive* to, std::uint64_t& total,
                       const UnpackLimits& limits) {
    for (;;) {
        const void* block = nullptr;
        std::size_t size = 0;
        la_int64_t offset = 0;
        const int got = libarchive().read_data_block(from, &block, &size, &offset);
        if (got == ARCHIVE_EOF) return {};
        if (got < ARCHIVE_WARN) return fail(Errc::invalid, "{}", reason(from));
        total += size;
        if (total > limits.size_max_bytes) {
            return fail(Errc::invalid, "holds over {} bytes: raise the limit or check the artifact",
                        limits.size_max_bytes);
        }
        if (libarchive().write_data_block(to, block, size, offset) < ARCHIVE_OK) {
            const int error = libarchive().error_number(to);
            return fail(error == ENOSPC || error == EDQUOT ? Errc::no_space : Errc::io, "{}",
                        reason(to));
        }
    }
}

Result<void> unpack_entries(archive* from, archive* to, const std::string& folder,
                            const UnpackLimits& limits) {
    std::uint64_t total = 0;
    std::uint64_t files = 0;
    for (;;) {
        archive_entry* entry = nullptr;
        const int got = libarchive().read_next_header(from, &entry);
        if (got == ARCHIVE_EOF) return {};
        if (got < ARCHIVE_WARN) return fail(Errc::invalid, "{}", reason(from));
        if (++files > limits.files_max) {
            return fail(Errc::invalid, "holds over {} files", limits.files_max);
        }
        CLARITY_TRY(const auto path, inner_path(libarchive().entry_pathname(entry)));
        if (path.empty()) continue;  // "./"
        const auto type = libarchive().entry_filetype(entry);
        if (!limits.devices && (type == AE_IFCHR || type == AE_IFBLK)) continue;
        libarchive().entry_set_pathname(entry, (folder + "/" + path).c_str());
        if (const char* link = libarchive().entry_hardlink(entry)) {
            CLARITY_TRY(const auto target, inner_path(link));
            libarchive().entry_set_hardlink(entry, (folder + "/" + target).c_str());
        }
        if (libarchive().write_header(to, entry) < ARCHIVE_WARN) {
            const int error = libarchive().error_number(to);
            return fail(error == ENOSPC || error == EDQUOT ? Errc::no_space : Errc::invalid,
                        "entry \"{}\": {}", path, reason(to));
        }
        CLARITY_CHECK(copy_data(from, to, total, limits));
        if (libarchive().write_finish_entry(to) < ARCHIVE_WARN) {
            return fail(Errc::io, "entry \"{}\": {}", path, reason(to));
        }
    }
}

}  // namespace

bool is_archive(const std::string& path) {
    if (!open_libarchive()) return false;
    const auto reader = open_reader(path);
    archive_entry* entry = nullptr;
    // A compressed empty stream or plain text has no first header.
    return reader && libarchive().read_next_header(reader.get(), &entry) == ARCHIVE_OK;
}

Result<void> unpack_archive(const std::string& path, const std::string& folder,
                            const UnpackLimits& limits) {
    if (const auto& opened = open_libarchive(); !opened) {
        return tl::unexpected<Error>(opened.error());
    }
    CLARITY_CHECK(make_dirs(folder, 0755));
    const auto reader = open_reader(path);
    if (!reader) return fail(Errc::invalid, "{}: not an archive that can be read", path);
    const Writer writer(libarchive().write_disk_new());
    int flags = ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_SECURE_NODOTDOT;
    if (::geteuid() == 0) {
        flags |= ARCHIVE_EXTRACT_OWNER | ARCHIVE_EXTRACT_ACL | ARCHIVE_EXTRACT_XATTR |
                 ARCHIVE_EXTRACT_FFLAGS;
    }
    libarchive().write_disk_set_options(writer.get(), flags | ARCHIVE_EXTRACT_SECURE_SYMLINKS);
    libarchive().write_disk_set_standard_lookup(writer.get());
    // SECURE_SYMLINKS looks at the whole path, so links above our folder are resolved first.
    const std::unique_ptr<char, void (*)(void*)> real(::realpath(folder.c_str(), nullptr), ::free);
    if (!real) return tl::unexpected<Error>(file_error("resolve", folder, errno));
    auto done = unpack_entries(reader.get(), writer.get(), real.get(), limits);
    if (!done) return fail_within("unpack " + path, std::move(done));
    if (libarchive().write_close(writer.get()) < ARCHIVE_WARN) {
        return fail(Errc::io, "unpack {}: {}", path, reason(writer.get()));
    }
    return {};
}

Result<void> unpack_once(const std::string& path, const std::string& folder,
                         const std::string& stamp, const UnpackLimits& limits) {
    const auto stamp_path = folder + "/.clarity-unpacked";
    if (auto text = read_file(stamp_path, 256); text && *text == stamp) return {};
    if (path.empty()) return fail(Errc::not_found, "{} is gone and its artifact too", folder);
    const auto part = folder + ".part";
    CLARITY_CHECK(remove_all(part));
    CLARITY_CHECK(make_dirs(parent_dir(folder), 0755));
    CLARITY_CHECK(unpack_archive(path, part, limits));
    CLARITY_CHECK(write_file_atomic(part + "/.clarity-unpacked", stamp, 0644));
    CLARITY_CHECK(remove_all(folder));
    return rename_durable(part, folder);
}

}  // namespace clarity
