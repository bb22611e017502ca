#include "storage/kv.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <thread>

#include "tests/storage/temp_dir.hpp"

using namespace clarity;
using clarity::test::TempDir;

namespace {

std::vector<std::string> keys(const KeyValueStore& store, std::string_view prefix, bool back) {
    std::vector<std::string> out;
    const auto visit = [&](std::string_view key, std::string_view) {
        out.emplace_back(key);
        return true;
    };
    REQUIRE((back ? store.scan_back(prefix, visit) : store.scan(prefix, visit)));
    return out;
}

}  // namespace

TEST_CASE("store: values are there after it is closed and opened again") {
    const TempDir dir;
    {
        auto store = KeyValueStore::open(dir / "kv");
        REQUIRE(store);
        REQUIRE((*store)->put("a", "1", Sync::yes));
        REQUIRE((*store)->put("b", std::string("\0\xff", 2)));
        REQUIRE((*store)->erase("nothing"));
    }
    auto store = KeyValueStore::open(dir / "kv");
    REQUIRE(store);
    CHECK((*store)->get("a").value() == "1");
    CHECK((*store)->get("b").value() == std::string("\0\xff", 2));
    CHECK((*store)->get("c").value() == std::nullopt);
}

TEST_CASE("store: only data is in its folder, no log of RocksDB's own") {
    const TempDir dir;
    const auto db = dir / "db";
    REQUIRE((*KeyValueStore::open(db))->put("a", "1", Sync::yes));
    REQUIRE((*KeyValueStore::open(db))->get("a"));
    for (const auto& each : std::filesystem::directory_iterator(db)) {
        INFO(each.path());
        CHECK(!each.path().filename().string().starts_with("LOG."));
        CHECK(each.path().filename() != "LOG");
        CHECK(!each.path().filename().string().starts_with("OPTIONS"));
    }
}

TEST_CASE("store: a batch puts and erases together") {
    const TempDir dir;
    auto store = KeyValueStore::open(dir / "kv");
    REQUIRE(store);
    REQUIRE((*store)->put("old", "x"));
    Batch batch;
    batch.put("new", "y");
    batch.erase("old");
    REQUIRE((*store)->apply(batch, Sync::yes));
    CHECK(keys(**store, "", false) == std::vector<std::string>{"new"});
}

TEST_CASE("store: a scan visits exactly one prefix, in order, either way") {
    const TempDir dir;
    auto store = KeyValueStore::open(dir / "kv");
    REQUIRE(store);
    for (const std::string key : {"a/2", "b/1", "a/1", "a0", "a", "a/\xff\xff"}) {
        REQUIRE((*store)->put(key, key));
    }
    using List = std::vector<std::string>;
    CHECK(keys(**store, "a/", false) == List{"a/1", "a/2", "a/\xff\xff"});
    CHECK(keys(**store, "a/", true) == List{"a/\xff\xff", "a/2", "a/1"});
    CHECK(keys(**store, "a/\xff", true) == List{"a/\xff\xff"});
    CHECK(keys(**store, "", true).size() == 6);
    CHECK(keys(**store, "\xff", true).empty());
    int visited = 0;
    REQUIRE((*store)->scan("a", [&](auto, auto) { return ++visited < 2; }));
    CHECK(visited == 2);
}

TEST_CASE("store: a second process is told that the store is locked") {
    const TempDir dir;
    auto store = KeyValueStore::open(dir / "kv");
    REQUIRE(store);
    const auto second = KeyValueStore::open(dir / "kv");
    REQUIRE_FALSE(second);
    CHECK(second.error().code == Errc::conflict);
    CHECK(second.error().message.find("locked by another process") != std::string::npos);
}

TEST_CASE("store: what was written is there after a kill, without any sync") {
    const TempDir dir;
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        auto store = KeyValueStore::open(dir / "kv");
        bool good = store.has_value();
        for (int i = 0; good && i < 100; ++i) {
            good = (*store)->put("k" + std::to_string(i), std::string(1000, 'v')).has_value();
        }
        ::_exit(good ? 0 : 1);  // nothing is closed, as after kill -9
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    REQUIRE(WEXITSTATUS(status) == 0);
    auto store = KeyValueStore::open(dir / "kv");
    REQUIRE(store);
    CHECK(keys(**store, "k", false).size() == 100);
}

TEST_CASE("store: a program that is killed again and again does not pile up logs") {
    const TempDir dir;
    for (int i = 0; i < 40; ++i) {
        const pid_t child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            auto store = KeyValueStore::open(dir / "kv");
            const bool good = store && (*store)->put("k" + std::to_string(i), "v").has_value();
            ::_exit(good ? 0 : 1);
        }
        int status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child);
        REQUIRE(WIFEXITED(status));
        REQUIRE(WEXITSTATUS(status) == 0);
    }
    auto store = KeyValueStore::open(dir / "kv");
    REQUIRE(store);
    CHECK(keys(**store, "k", false).size() == 40);
    std::size_t logs = 0;
    for (const auto& each : std::filesystem::directory_iterator(dir / "kv")) {
        logs += each.path().extension() == ".log" ? 1U : 0U;
    }
    CHECK(logs <= 20);
}

TEST_CASE("store: many threads write and read at once") {
    const TempDir dir;
    auto store = KeyValueStore::open(dir / "kv");
    REQUIRE(store);
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 4; ++t) {
            threads.emplace_back([&, t] {
                for (int i = 0; i < 200; ++i) {
                    (void)(*store)->put(std::to_string(t) + "/" + std::to_string(i), "v");
                }
            });
        }
    }
    for (int t = 0; t < 4; ++t) {
        CHECK(keys(**store, std::to_string(t) + "/", false).size() == 200);
    }
}
