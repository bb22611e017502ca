#include <sys/fsuid.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "node/drivers/unpack.hpp"

namespace fs = std::filesystem;

namespace {

/// Files are made as nobody: what gets out does no harm.
struct Nobody {
    Nobody() { ::setfsuid(uid); }
    ~Nobody() { ::setfsuid(::geteuid()); }
    static constexpr uid_t uid = 65534;
};

fs::path make_base() {
    char name[] = "/tmp/clarity-fuzz-archive-XXXXXX";
    if (::mkdtemp(name) == nullptr) std::abort();
    if (::geteuid() == 0 && ::chown(name, Nobody::uid, Nobody::uid) != 0) std::abort();
    return name;
}

/// Removed when the program ends.
struct Base {
    fs::path path = make_base();
    ~Base() {
        std::error_code ignored;
        fs::remove_all(path, ignored);
    }
};

}  // namespace

// An artifact's archive: nothing of it lands outside its folder, nor is it larger than it may be.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const Base holder;
    const auto& base = holder.path;
    const auto inside = base / "inside";
    const auto file = inside / "archive";
    const auto folder = inside / "folder";
    clarity::UnpackLimits limits;
    limits.size_max_bytes = 1U << 20;
    limits.files_max = 64;
    bool done = false;
    {
        const Nobody nobody;
        fs::create_directory(inside);
        std::ofstream(file, std::ios::binary)
            .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
        (void)clarity::is_archive(file);
        done = clarity::unpack_archive(file, folder, limits).has_value();
    }
    std::uint64_t files = 0;
    std::error_code error;
    for (auto each = fs::recursive_directory_iterator(inside, error);
         !error && each != fs::recursive_directory_iterator(); each.increment(error)) {
        const auto type = each->symlink_status(error).type();
        if (type == fs::file_type::character || type == fs::file_type::block) std::abort();
        ++files;
    }
    // Every entry may have folders above it.
    if (done && files > limits.files_max * 4096) std::abort();
    for (const auto& each : fs::directory_iterator(base)) {
        if (each.path() != inside) std::abort();
    }
    for (const auto& each : fs::directory_iterator(inside)) {
        if (each.path() != file && each.path() != folder) std::abort();
    }
    fs::remove_all(inside, error);
    return 0;
}
