#include "storage/cache/cache.hpp"

#include <sys/mount.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cstdio>

#include "storage/files.hpp"
#include "storage/ingest.hpp"
#include "tests/storage/temp_dir.hpp"

using namespace clarity;
using clarity::test::noise;
using clarity::test::TempDir;

namespace {

struct Artifact {
    std::string bytes;
    Manifest manifest;
};

Artifact artifact(const std::string& name, std::size_t size, unsigned seed) {
    Artifact out{noise(size, seed), {}};
    auto ingest = Ingest::start(size, {.piece_size_bytes = 16 << 10});
    REQUIRE(ingest);
    REQUIRE((*ingest)->write(out.bytes));
    out.manifest = (*ingest)->finish().value();
    out.manifest.artifact = name;
    out.manifest.version = "1.0.0";
    return out;
}

struct Site {
    TempDir dir;
    CacheSettings settings;
    std::unique_ptr<KeyValueStore> store;
    std::unique_ptr<ArtifactCache> cache;

    Site() { settings.root = dir / "cache"; }
    void open() {
        cache.reset();
        if (!store) store = std::move(KeyValueStore::open(dir / "kv").value());
        cache = std::move(ArtifactCache::open(settings, *store).value());
    }
    /// As after a kill: the objects are gone, the store's process too.
    void restart() {
        cache.reset();
        store.reset();
        open();
    }
    /// Writes and marks pieces [first, last).
    void write(const Artifact& a, std::uint32_t first, std::uint32_t last) const {
        auto file = File::open_write(*cache->find_partial(a.manifest.sha256));
        REQUIRE(file);
        for (auto piece = first; piece < last; ++piece) {
            const auto at = static_cast<std::size_t>(piece) * a.manifest.piece_size_bytes;
            REQUIRE(file->write_at(
                std::string_view(a.bytes).substr(at, a.manifest.piece_length(piece)), at));
            REQUIRE(cache->mark_pieces(a.manifest.sha256, {&piece, 1}));
        }
    }
    void put(const Artifact& a, std::int64_t now) const {
        REQUIRE(cache->begin(a.manifest, now));
        write(a, 0, static_cast<std::uint32_t>(a.manifest.piece_count()));
        REQUIRE(cache->complete(a.manifest, now));
    }
};

std::size_t count(const std::vector<bool>& flags) {
    return static_cast<std::size_t>(std::count(flags.begin(), flags.end(), true));
}

}  // namespace

TEST_CASE("cache: an artifact grows piece by piece, is completed, found, and there after a start") {
    Site site;
    site.open();
    const auto a = artifact("app", 100'000, 1);
    const auto path = site.cache->begin(a.manifest, 10);
    REQUIRE(path);
    CHECK(file_size(*path).value() == a.bytes.size());
    CHECK_FALSE(site.cache->find(a.manifest.sha256));
    site.write(a, 0, 3);
    CHECK(count(site.cache->pieces(a.manifest.sha256)) == 3);
    CHECK(site.cache->size_bytes() == 3 * (16 << 10));
    site.restart();
    CHECK(count(site.cache->pieces(a.manifest.sha256)) == 3);
    REQUIRE(site.cache->begin(a.manifest, 11));
    site.write(a, 3, 7);
    const auto done = site.cache->complete(a.manifest, 12);
    REQUIRE(done);
    CHECK(*done == site.settings.root + "/objects/" + a.manifest.sha256.hex().substr(0, 2) + "/" +
                       a.manifest.sha256.hex());
    CHECK(read_file(*done, 1 << 20).value() == a.bytes);
    struct stat info {};
    REQUIRE(::stat(done->c_str(), &info) == 0);
    CHECK((info.st_mode & 0222U) == 0U);
    CHECK_FALSE(site.cache->find_partial(a.manifest.sha256));
    site.restart();
    CHECK(site.cache->find(a.manifest.sha256) == *done);
    CHECK(count(site.cache->pieces(a.manifest.sha256)) == a.manifest.piece_count());
    CHECK(site.cache->begin(a.manifest, 13).error().code == Errc::exists);
    CHECK(site.cache->complete(a.manifest, 13).value() == *done);
}

TEST_CASE("cache: a wrong byte is found at the end, its piece alone is asked for again") {
    Site site;
    site.open();
    const auto a = artifact("app", 100'000, 1);
    auto bad = a;
    bad.bytes[40'000] = static_cast<char>(bad.bytes[40'000] ^ 1);
    REQUIRE(site.cache->begin(a.manifest, 1));
    site.write(bad, 0, 7);
    const auto refused = site.cache->complete(a.manifest, 2);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::invalid);
    CHECK_THAT(refused.error().message, Catch::Contains("1 of 7 pieces are bad"));
    CHECK_FALSE(site.cache->find(a.manifest.sha256));
    auto expected = std::vector<bool>(7, true);
    expected[2] = false;
    CHECK(site.cache->pieces(a.manifest.sha256) == expected);
    site.write(a, 2, 3);
    CHECK(site.cache->complete(a.manifest, 3));
}

TEST_CASE("cache: a manifest whose pieces and whole contradict each other is named as such") {
    Site site;
    site.open();
    auto a = artifact("app", 100'000, 1);
    a.manifest.sha256.data[0] ^= 1;
    REQUIRE(site.cache->begin(a.manifest, 1));
    site.write(a, 0, 7);
    const auto refused = site.cache->complete(a.manifest, 2);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::conflict);
    CHECK_THAT(refused.error().message, Catch::Contains("contradicts itself"));
}

TEST_CASE("cache: after a reboot marked pieces are believed only when they are still right") {
    Site site;
    site.open();
    const auto a = artifact("app", 100'000, 1);
    const auto path = site.cache->begin(a.manifest, 1).value();
    site.write(a, 0, 4);
    // The power cut took piece 1 with it, and the machine has another boot id now.
    REQUIRE(File::open_write(path)->write_at(std::string(16 << 10, '\0'), 16 << 10));
    std::string key;
    std::string value;
    REQUIRE(site.store->scan("cache/entry/", [&](auto k, auto v) {
        key = k;
        value = v;
        return true;
    }));
    const auto boot = read_file("/proc/sys/kernel/random/boot_id", 64).value();
    const auto at = value.find(boot.substr(0, 36));
    REQUIRE(at != std::string::npos);
    value[at] = value[at] == '0' ? '1' : '0';
    REQUIRE(site.store->put(key, value));
    site.restart();
    REQUIRE(site.cache->begin(a.manifest, 2));
    CHECK(site.cache->pieces(a.manifest.sha256) ==
          std::vector<bool>{true, false, true, true, false, false, false});
}

TEST_CASE("cache: files that nobody knows are swept at a start, entries without a file forgotten") {
    Site site;
    site.open();
    const auto a = artifact("a", 50'000, 1);
    const auto b = artifact("b", 50'000, 2);
    const auto c = artifact("c", 50'000, 3);
    site.put(a, 1);
    site.put(b, 1);
    REQUIRE(site.cache->begin(c.manifest, 1));
    site.write(c, 0, 1);
    const auto partial = *site.cache->find_partial(c.manifest.sha256);
    REQUIRE(remove_all(*site.cache->find(a.manifest.sha256)));
    CHECK_FALSE(site.cache->find(a.manifest.sha256));
    REQUIRE(File::open_write(partial)->resize(10));
    REQUIRE(write_file_atomic(site.settings.root + "/partial/junk", "x"));
    REQUIRE(write_file_atomic(site.settings.root + "/objects/junk", "x"));
    site.restart();
    CHECK(site.cache->list().size() == 1);
    CHECK(site.cache->find(b.manifest.sha256));
    CHECK_FALSE(file_exists(site.settings.root + "/partial/junk"));
    CHECK_FALSE(file_exists(site.settings.root + "/objects/junk"));
    CHECK_FALSE(file_exists(partial));
    site.put(a, 2);
}

TEST_CASE("cache: a kill between the rename and the index loses nothing") {
    Site site;
    site.open();
    const auto a = artifact("a", 50'000, 1);
    REQUIRE(site.cache->begin(a.manifest, 1));
    site.write(a, 0, 4);
    const auto name = a.manifest.sha256.hex();
    const auto target = site.settings.root + "/objects/" + name.substr(0, 2);
    REQUIRE(make_dirs(target));
    REQUIRE(rename_durable(*site.cache->find_partial(a.manifest.sha256), target + "/" + name));
    site.restart();
    CHECK(site.cache->find(a.manifest.sha256) == target + "/" + name);
}

TEST_CASE("cache: the least recently used unpinned go first, down to the low mark") {
    Site site;
    site.settings.size_max_bytes = 1'000'000;
    site.open();
    std::vector<Artifact> all;
    for (unsigned i = 0; i < 5; ++i) {
        all.push_back(artifact("a" + std::to_string(i), 190'000, i + 1));
        site.put(all.back(), i);
    }
    CHECK(site.cache->collect()->dropped.empty());  // 950 kB are not above the high mark
    REQUIRE(site.cache->pin(all[0].manifest.sha256, "running:a0"));
    site.cache->touch(all[1].manifest.sha256, 100);
    site.restart();
    const auto last = all[2].manifest.sha256;
    const auto looked = site.cache->collect({}, 190'000, true);
    REQUIRE(looked);
    CHECK(looked->dropped.front().sha256 == last);
    CHECK(site.cache->find(last));  // a dry run drops nothing
    const auto dropped = site.cache->collect(
        [&](const CachedArtifact& each) { return each.sha256 == last ? Keep::yes : Keep::no; },
        190'000);
    REQUIRE(dropped);
    REQUIRE(dropped->dropped.size() == 2);
    CHECK(dropped->dropped[0].sha256 == all[3].manifest.sha256);
    CHECK(dropped->dropped[1].sha256 == all[4].manifest.sha256);
    CHECK(dropped->size_bytes == 5 * 190'000);
    CHECK(dropped->freed_bytes() == 2 * 190'000);
    CHECK(site.cache->find(all[0].manifest.sha256));
    CHECK(site.cache->find(all[1].manifest.sha256));
    CHECK(site.cache->find(all[2].manifest.sha256));
    CHECK(site.cache->size_bytes() == 3 * 190'000);
    CHECK(site.cache->remove(all[0].manifest.sha256).error().code == Errc::conflict);
    REQUIRE(site.cache->unpin(all[0].manifest.sha256, "running:a0"));
    REQUIRE(site.cache->remove(all[0].manifest.sha256));
    CHECK_FALSE(site.cache->find(all[0].manifest.sha256));
}

TEST_CASE("cache: pins of one kind are replaced as a whole, others stay, all outlive a restart") {
    Site site;
    site.open();
    const auto a = artifact("a", 1000, 1).manifest.sha256;
    const auto b = artifact("b", 1000, 2);
    REQUIRE(site.cache->pin(a, "rollback:x"));
    REQUIRE(site.cache->set_pins("running:", {{"running:x", a}, {"running:y", b.manifest.sha256}}));
    REQUIRE(site.cache->set_pins("running:", {{"running:y", b.manifest.sha256}}));
    site.restart();
    site.put(b, 1);
    CHECK(site.cache->describe(b.manifest.sha256)->pins == std::set<std::string>{"running:y"});
    CHECK(site.cache->remove(a).error().code == Errc::conflict);
    REQUIRE(site.cache->set_pins("running:", {}));
    CHECK(site.cache->describe(b.manifest.sha256)->pins.empty());
}

TEST_CASE("cache: what cannot fit is refused before a byte is fetched") {
    Site site;
    site.settings.size_max_bytes = 50'000;
    site.open();
    const auto a = artifact("big", 60'000, 1);
    const auto refused = site.cache->begin(a.manifest, 1);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::no_space);
    CHECK_THAT(refused.error().message,
               Catch::Contains("big 1.0.0") && Catch::Contains("cache.size_max_bytes"));
    CHECK(site.cache->list().empty());
}

TEST_CASE("cache: on a disk that is too full it says so and leaves nothing behind") {
    Site site;
    const std::string mount = site.dir / "disk";
    REQUIRE(make_dirs(mount));
    if (::mount("tmpfs", mount.c_str(), "tmpfs", 0, "size=256k") != 0) {
        std::perror("left out: cannot mount a small tmpfs (needs root)");
        return;
    }
    site.settings.root = mount + "/cache";
    site.settings.disk_reserve_bytes = 100'000;
    site.open();
    const auto a = artifact("big", 200'000, 1);
    const auto refused = site.cache->begin(a.manifest, 1);
    CHECK_FALSE(refused);
    if (!refused) CHECK(refused.error().code == Errc::no_space);
    CHECK_FALSE(file_exists(site.settings.root + "/partial/" + a.manifest.sha256.hex()));
    site.put(artifact("small", 50'000, 2), 1);
    site.cache.reset();
    ::umount2(mount.c_str(), MNT_DETACH);
}

TEST_CASE("cache: marks for unknown artifacts and pieces beyond the end are refused") {
    Site site;
    site.open();
    const auto a = artifact("a", 50'000, 1);
    const std::uint32_t piece = 4;
    CHECK(site.cache->mark_pieces(a.manifest.sha256, {&piece, 1}).error().code == Errc::not_found);
    REQUIRE(site.cache->begin(a.manifest, 1));
    CHECK(site.cache->mark_pieces(a.manifest.sha256, {&piece, 1}).error().code == Errc::invalid);
    CHECK(site.cache->pieces(Digest{}).empty());
}

TEST_CASE("cache: chunks are found in every complete artifact, after a start too, and go with it") {
    Site site;
    site.open();
    const auto a = artifact("app", 900'000, 1);
    auto other = artifact("other", 300'000, 2);
    const auto wanted = chunks_of(a.manifest).value();
    REQUIRE(wanted.size() > 5);
    CHECK(site.cache->find_chunks(wanted)->empty());
    REQUIRE(site.cache->begin(a.manifest, 1));
    CHECK(site.cache->find_chunks(wanted)->empty());  // half an artifact is not trusted
    site.put(a, 1);
    site.put(other, 1);
    site.restart();
    auto mixed = wanted;
    mixed.push_back(chunks_of(other.manifest).value().back());
    mixed.push_back({0, 10, chunk_hash("nowhere")});
    const auto found = site.cache->find_chunks(mixed);
    REQUIRE(found);
    CHECK(found->size() == mixed.size() - 1);
    for (std::size_t i = 0; i + 1 < mixed.size(); ++i) {
        const auto& place = found->at(mixed[i].hash);
        const auto& from = place.sha256 == a.manifest.sha256 ? a : other;
        CHECK(chunk_hash(from.bytes.substr(place.offset, mixed[i].length)) == mixed[i].hash);
    }
    REQUIRE(site.cache->remove(a.manifest.sha256));
    CHECK(site.cache->find_chunks(wanted)->empty());
    CHECK(site.cache->find_chunks(mixed)->size() == 1);
}
