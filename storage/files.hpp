#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/bytes.hpp"

namespace clarity {

/// Blocking file helpers; any thread. Every error names the path, says what the system answered
/// and what to do; codes: not_found, denied, no_space (disk or quota full, read-only excluded),
/// exists, invalid (over `size_max_bytes`), io for the rest.

/// The whole file, at most `size_max_bytes` of it (more is an error, never a cut).
[[nodiscard]] Result<Bytes> read_file(const std::string& path, std::size_t size_max_bytes);

/// Replaces or creates `path` so that readers and a power cut see the old or the new contents,
/// never a part: temporary file beside it, fsync, rename, fsync of the folder.
[[nodiscard]] Result<void> write_file_atomic(const std::string& path, std::string_view bytes,
                                             mode_t mode = 0644);

/// The folder and its missing parents; new ones get `mode`. An existing folder is fine.
[[nodiscard]] Result<void> make_dirs(const std::string& path, mode_t mode = 0755);

/// The same, durable when it returns: what is synced in the folder outlives a power cut.
[[nodiscard]] Result<void> make_dirs_durable(const std::string& path, mode_t mode = 0755);

/// A file or a folder with all in it; nothing there is fine. Symbolic links are not followed.
[[nodiscard]] Result<void> remove_all(const std::string& path);

/// Moves within a file system, durable when it returns (fsync of both folders).
[[nodiscard]] Result<void> rename_durable(const std::string& from, const std::string& to);

/// Makes creations, renames and removals in this folder durable.
[[nodiscard]] Result<void> sync_dir(const std::string& path);

[[nodiscard]] bool file_exists(const std::string& path);
[[nodiscard]] Result<std::uint64_t> file_size(const std::string& path);
/// What an unprivileged writer may still use on the file system of `path`.
[[nodiscard]] Result<std::uint64_t> free_space_bytes(const std::string& path);

/// The mode, whatever the umask.
[[nodiscard]] Result<void> change_mode(const std::string& path, mode_t mode);

/// "/a/b/c" → "/a/b"; "c" → ".".
[[nodiscard]] std::string parent_dir(const std::string& path);

/// The error for `errno_value` met on `path` while trying to `action` ("write", "open").
[[nodiscard]] Error file_error(std::string_view action, const std::string& path, int errno_value);

/// An open file, closed when destroyed. Reads and writes at offsets may come from several threads.
class File {
  public:
    File() = default;
    ~File();
    File(File&& other) noexcept;
    File& operator=(File&& other) noexcept;

    [[nodiscard]] static Result<File> open_read(const std::string& path);
    /// For reading and writing; created with `mode` where absent, contents kept where present.
    [[nodiscard]] static Result<File> open_write(const std::string& path, mode_t mode = 0644);
    /// New and empty, for writing; fails with `exists` when something is there.
    [[nodiscard]] static Result<File> create(const std::string& path, mode_t mode = 0644);

    /// Up to `size` bytes at `offset`; fewer only at the end of the file.
    [[nodiscard]] Result<std::size_t> read_at(char* buffer, std::size_t size,
                                              std::uint64_t offset) const;
    [[nodiscard]] Result<void> write_at(std::string_view bytes, std::uint64_t offset);
    /// Sets the length; longer is a hole (sparse).
    [[nodiscard]] Result<void> resize(std::uint64_t size_bytes);
    /// Contents durable when it returns (fdatasync).
    [[nodiscard]] Result<void> sync();
    [[nodiscard]] Result<std::uint64_t> size() const;
    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] int descriptor() const { return descriptor_; }

  private:
    File(int descriptor, std::string path) : descriptor_(descriptor), path_(std::move(path)) {}
    int descriptor_ = -1;
    std::string path_;
};

/// One call that changes files, as it is about to be made.
struct FileOperation {
    enum class Kind { make_dir, create, write, resize, mode, sync, rename, remove, sync_dir };
    Kind kind = Kind::write;
    std::string path;
    std::string to = {};  ///< of a rename
};

/// Sees every change that the functions here make, before it is made: how tests cut the power at
/// any step. Called by whichever thread makes the change.
class FileTap {
  public:
    virtual ~FileTap() = default;
    /// 0 = go on; an errno: the call fails with it and is not made.
    [[nodiscard]] virtual int before(const FileOperation& operation) = 0;
};

/// For tests: `tap` sees what follows until it is replaced; null = nobody. It must outlive that.
void tap_files(FileTap* tap);

}  // namespace clarity
