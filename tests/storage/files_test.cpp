#include "storage/files.hpp"

#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>

#include "storage/kv.hpp"
#include "tests/storage/temp_dir.hpp"

using namespace clarity;
using clarity::test::TempDir;

namespace {

std::size_t entries_in(const std::string& path) {
    const std::filesystem::directory_iterator all(path);
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

/// A file system of its own that is soon full.
struct SmallDisk {
    TempDir dir;
    bool mounted = false;
    explicit SmallDisk(const char* options) {
        mounted = ::mount("tmpfs", dir.path().c_str(), "tmpfs", 0, options) == 0;
        if (!mounted) std::perror("left out: cannot mount a small tmpfs (needs root)");
    }
    ~SmallDisk() {
        if (mounted) ::umount2(dir.path().c_str(), MNT_DETACH);
    }
    SmallDisk(const SmallDisk&) = delete;
    SmallDisk& operator=(const SmallDisk&) = delete;
};

}  // namespace

TEST_CASE("files: what is written atomically is read back, with the mode that was asked for") {
    const TempDir dir;
    const auto old_mask = ::umask(077);
    REQUIRE(write_file_atomic(dir / "a", "first", 0644));
    ::umask(old_mask);
    REQUIRE(write_file_atomic(dir / "a", std::string("sec\0nd", 6), 0640));
    CHECK(read_file(dir / "a", 100).value() == std::string("sec\0nd", 6));
    struct stat info {};
    REQUIRE(::stat((dir / "a").c_str(), &info) == 0);
    CHECK((info.st_mode & 0777U) == 0640U);
    CHECK(entries_in(dir.path()) == 1);
}

TEST_CASE("files: a file over the limit is an error, never a part of it") {
    const TempDir dir;
    REQUIRE(write_file_atomic(dir / "a", std::string(101, 'x')));
    const auto got = read_file(dir / "a", 100);
    REQUIRE_FALSE(got);
    CHECK(got.error().code == Errc::invalid);
    CHECK(read_file(dir / "a", 101).value().size() == 101);
    CHECK(read_file("/proc/self/status", 1 << 20).value().find("VmRSS") != std::string::npos);
    CHECK_FALSE(read_file("/proc/self/status", 16));
}

TEST_CASE("files: errors name the path and the kind") {
    const TempDir dir;
    const auto missing = read_file(dir / "nowhere", 10);
    REQUIRE_FALSE(missing);
    CHECK(missing.error().code == Errc::not_found);
    CHECK(missing.error().message.find(dir / "nowhere") != std::string::npos);
    CHECK(read_file(dir.path(), 10).error().code == Errc::io);
    CHECK(write_file_atomic(dir / "no/such/folder", "x").error().code == Errc::not_found);
    REQUIRE(write_file_atomic(dir / "plain", "x"));
    CHECK(make_dirs(dir / "plain/below").error().code == Errc::exists);
    CHECK(File::create(dir / "plain").error().code == Errc::exists);
}

TEST_CASE("files: folders are made with their parents and removed with their contents") {
    const TempDir dir;
    REQUIRE(make_dirs(dir / "a/b/c"));
    REQUIRE(make_dirs(dir / "a/b/c/"));
    REQUIRE(write_file_atomic(dir / "a/b/c/file", "x"));
    REQUIRE(rename_durable(dir / "a/b/c/file", dir / "a/file"));
    CHECK(file_exists(dir / "a/file"));
    REQUIRE(remove_all(dir / "a"));
    REQUIRE(remove_all(dir / "a"));
    CHECK_FALSE(file_exists(dir / "a"));
}

TEST_CASE("files: bytes are written and read at offsets, holes read as zeros") {
    const TempDir dir;
    auto file = File::create(dir / "sparse");
    REQUIRE(file);
    REQUIRE(file->resize(1 << 20));
    REQUIRE(file->write_at("abc", 5000));
    std::string buffer(5, 'x');
    CHECK(file->read_at(buffer.data(), 5, 4999).value() == 5);
    CHECK(buffer == std::string("\0abc\0", 5));
    CHECK(file->read_at(buffer.data(), 5, (1 << 20) - 2).value() == 2);
    CHECK(file_size(dir / "sparse").value() == 1 << 20);
}

TEST_CASE("files: a full disk is one clear error and leaves the old contents alone") {
    const SmallDisk disk("size=64k");
    if (!disk.mounted) return;
    REQUIRE(write_file_atomic(disk.dir / "a", "old"));
    const auto written = write_file_atomic(disk.dir / "a", std::string(1 << 20, 'x'));
    REQUIRE_FALSE(written);
    CHECK(written.error().code == Errc::no_space);
    CHECK(written.error().message.find("No space left") != std::string::npos);
    CHECK(written.error().message.find("free some space") != std::string::npos);
    CHECK(read_file(disk.dir / "a", 10).value() == "old");
    CHECK(entries_in(disk.dir.path()) == 1);
    CHECK(free_space_bytes(disk.dir.path()).value() < 64U << 10);
}

TEST_CASE("store: a full disk is no_space and what was written before stays") {
    const SmallDisk disk("size=2m");
    if (!disk.mounted) return;
    Error error{Errc::failed, ""};
    int written = 0;
    {
        auto store = KeyValueStore::open(disk.dir / "kv");
        REQUIRE(store);
        for (; written < 200; ++written) {
            const auto put =
                (*store)->put("key" + std::to_string(written), test::noise(32 << 10, 1), Sync::yes);
            if (!put) {
                error = put.error();
                break;
            }
        }
    }
    CHECK(error.code == Errc::no_space);
    CHECK(error.message.find(disk.dir / "kv") != std::string::npos);
    REQUIRE(written > 10);
    REQUIRE(::mount("tmpfs", disk.dir.path().c_str(), "tmpfs", MS_REMOUNT, "size=16m") == 0);
    auto store = KeyValueStore::open(disk.dir / "kv");
    REQUIRE(store);
    for (int i = 0; i < written; ++i) {
        CHECK((*store)->get("key" + std::to_string(i)).value().has_value());
    }
}
