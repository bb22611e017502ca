#include "storage/store_zstd.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>

#include "protocol/compression.hpp"
#include "protocol/sha256.hpp"
#include "storage/files.hpp"
#include "tests/storage/temp_dir.hpp"

using namespace clarity;
using test::noise;
using test::TempDir;

namespace {

/// Half of it repeats, as a file system's image does.
std::string image(std::size_t size, unsigned seed) {
    std::string out;
    for (unsigned i = 0; out.size() < size; ++i) {
        out += noise(20'000, seed + i / 2 * 2);
        out += std::string(30'000, static_cast<char>('a' + i % 26));
    }
    out.resize(size);
    return out;
}

struct Stored {
    TempDir dir;
    std::string plain;
    Manifest manifest;
    Result<StoredForm> form = StoredForm{};

    explicit Stored(std::string bytes, StoreSettings settings = {}) : plain(std::move(bytes)) {
        REQUIRE(write_file_atomic(dir / "a", plain));
        manifest = *ingest_file(dir / "a", {.chunk_average_bytes = 16U << 10});
        form = store_zstd(dir / "a", manifest, dir / "a.zst", settings);
    }
    [[nodiscard]] std::string packed() const { return *read_file(dir / "a.zst", 64U << 20); }
};

bool run(const std::string& command) {
    return std::system(command.c_str()) == 0;
}

}  // namespace

TEST_CASE("store zstd: stock zstd gives back the artifact byte for byte") {
    if (!run("zstd --version >/dev/null 2>&1")) {
        WARN("left out: the program zstd is not installed");
        return;
    }
    for (const std::size_t size : {1U, 100U, 16'384U, 3'000'000U}) {
        CAPTURE(size);
        const Stored it(image(size, 7), {.level = 3});
        REQUIRE(it.form);
        REQUIRE(run("zstd -q -d " + it.dir / "a.zst -o " + it.dir / "back"));
        CHECK(*read_file(it.dir / "back", 64U << 20) == it.plain);
        CHECK(run("zstd -q -t " + it.dir / "a.zst"));
        CHECK(it.packed().size() == it.form->size_bytes);
        CHECK_FALSE(file_exists(it.dir / "a.zst.part"));
    }
}

TEST_CASE("store zstd: the signed list says where every frame is and what it holds") {
    Stored it(image(3'000'000, 1), {.level = 3, .frame_plain_bytes = 100'000});
    REQUIRE(it.form);
    it.manifest.stored = *it.form;
    const auto layout = delta::layout_of(it.manifest);
    REQUIRE(layout);
    CHECK(layout->units.size() > 20);
    const auto packed = it.packed();
    std::string back;
    for (const auto& unit : layout->units) {
        const auto plain = compression::unpack(
            std::string_view(packed).substr(unit.offset, unit.length), layout->plain_bytes(unit));
        REQUIRE(plain);
        CHECK(plain->size() == layout->plain_bytes(unit));
        back += *plain;
    }
    CHECK(back == it.plain);
    // What is behind them is a skippable frame that ends with the seekable format's magic.
    const auto table = packed.substr(layout->units.back().end());
    CHECK(table.substr(0, 4) == Bytes("\x5e\x2a\x4d\x18", 4));
    CHECK(table.substr(table.size() - 4) == Bytes("\xb1\xea\x92\x8f", 4));
    CHECK(table.size() == 8 + layout->units.size() * 8 + 9);
}

TEST_CASE("store zstd: no frame has chunks of an earlier version and new ones") {
    std::vector<Chunk> chunks;
    for (std::uint32_t i = 0; i < 40; ++i) {
        chunks.push_back({i * 1000ULL, 1000, chunk_hash(std::to_string(i))});
    }
    StoreSettings settings;
    settings.frame_plain_bytes = 10'000;
    CHECK(group_chunks(chunks, settings) == std::vector<std::uint32_t>{10, 10, 10, 10});
    settings.known = [&](const ChunkHash& hash) {
        return hash != chunks[3].hash && hash != chunks[25].hash && hash != chunks[26].hash;
    };
    CHECK(group_chunks(chunks, settings) == std::vector<std::uint32_t>{3, 1, 10, 10, 1, 2, 10, 3});
    // What the manifest's two bytes can say is not exceeded.
    settings = {.frame_plain_bytes = 60U << 20};
    const std::vector<Chunk> tiny(70'000, Chunk{0, 1, {}});
    CHECK(group_chunks(tiny, settings) == std::vector<std::uint32_t>{65'535, 4'465});
}

TEST_CASE("store zstd: a file that changed since it was hashed is told, and nothing is left") {
    TempDir dir;
    auto bytes = image(500'000, 3);
    REQUIRE(write_file_atomic(dir / "a", bytes));
    const auto manifest = *ingest_file(dir / "a");
    bytes[400'000] ^= 1;
    REQUIRE(write_file_atomic(dir / "a", bytes));
    const auto stored = store_zstd(dir / "a", manifest, dir / "a.zst");
    REQUIRE_FALSE(stored);
    CHECK(stored.error().code == Errc::conflict);
    CHECK_FALSE(file_exists(dir / "a.zst"));
    CHECK_FALSE(file_exists(dir / "a.zst.part"));

    std::stop_source stop;
    stop.request_stop();
    CHECK(store_zstd(dir / "a", *ingest_file(dir / "a"), dir / "a.zst", {.stop = stop.get_token()})
              .error()
              .code == Errc::cancelled);
}
