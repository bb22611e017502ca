#include "storage/ingest.hpp"

#include <catch2/catch.hpp>
#include <set>

#include "protocol/chunker.hpp"
#include "protocol/merkle.hpp"
#include "protocol/sha256.hpp"
#include "storage/files.hpp"
#include "tests/storage/temp_dir.hpp"

using namespace clarity;
using clarity::test::noise;
using clarity::test::TempDir;

namespace {

/// BEP 52 by its definition, slowly: the tree over `width` leaves, zero hashes where there is no
/// block.
Digest naive_root(std::string_view bytes, std::size_t first, std::size_t width) {
    if (width == 1) {
        const std::size_t at = first * merkle_block_bytes;
        return at < bytes.size() ? sha256(bytes.substr(at, merkle_block_bytes)) : Digest{};
    }
    return sha256(naive_root(bytes, first, width / 2).bytes() +
                  naive_root(bytes, first + width / 2, width / 2).bytes());
}

std::size_t power_of_two_from(std::size_t count) {
    std::size_t out = 1;
    while (out < count) out *= 2;
    return out;
}

struct Chunk {
    std::uint32_t length;
    std::string name;
};

std::vector<Chunk> chunks_of(const Manifest& manifest) {
    std::vector<Chunk> out;
    for (std::size_t at = 0; at < manifest.chunks.size(); at += 20) {
        std::uint32_t length = 0;
        for (unsigned i = 4; i-- > 0;) {
            length = length << 8U | static_cast<unsigned char>(manifest.chunks[at + i]);
        }
        out.push_back({length, manifest.chunks.substr(at + 4, 16)});
    }
    return out;
}

Manifest ingested(const std::string& bytes, const IngestSettings& settings = {}) {
    auto ingest = Ingest::start(bytes.size(), settings);
    REQUIRE(ingest);
    // odd parts, so that no boundary of ours meets one of the caller's
    for (std::size_t at = 0; at < bytes.size(); at += 77'777) {
        REQUIRE((*ingest)->write(std::string_view(bytes).substr(at, 77'777)));
    }
    auto manifest = (*ingest)->finish();
    REQUIRE(manifest);
    return *manifest;
}

}  // namespace

TEST_CASE("ingest: every hash is what its definition says, for any size") {
    const std::size_t piece = 64 << 10;
    const auto size = GENERATE(as<std::size_t>{}, 1, 16383, 16384, 16385, 40000, 65536, 65537,
                               5 * 65536, (512 << 10) + 1, 3'000'001);
    CAPTURE(size);
    const auto bytes = noise(size, size);
    const auto manifest = ingested(bytes, {.piece_size_bytes = piece});
    CHECK(manifest.sha256 == sha256(bytes));
    CHECK(manifest.size_bytes == size);
    REQUIRE(manifest.piece_count() == (size + piece - 1) / piece);
    const std::size_t blocks = (size + merkle_block_bytes - 1) / merkle_block_bytes;
    const bool only = manifest.piece_count() == 1;
    for (std::size_t i = 0; i < manifest.piece_count(); ++i) {
        const auto part = std::string_view(bytes).substr(i * piece, piece);
        CHECK(piece_matches(manifest, i, part));
        const auto width = only ? power_of_two_from(blocks) : piece / merkle_block_bytes;
        CHECK(manifest.piece_hash(i) == naive_root(part, 0, width));
    }
    CHECK(merkle_file_root(manifest.piece_layer, piece) ==
          naive_root(bytes, 0, power_of_two_from(only ? blocks : manifest.piece_count() * 4)));
    std::size_t at = 0;
    for (const auto& chunk : chunks_of(manifest)) {
        CHECK(sha256(bytes.substr(at, chunk.length)).view().substr(0, 16) == chunk.name);
        at += chunk.length;
    }
    CHECK(at == size);
}

TEST_CASE("ingest: a piece with one wrong bit or another length does not match") {
    auto bytes = noise(200'000, 7);
    const auto manifest = ingested(bytes, {.piece_size_bytes = 64 << 10});
    auto piece = bytes.substr(65536, 65536);
    CHECK(piece_matches(manifest, 1, piece));
    CHECK_FALSE(piece_matches(manifest, 0, piece));
    CHECK_FALSE(piece_matches(manifest, 4, piece));
    CHECK_FALSE(piece_matches(manifest, 1, piece.substr(1)));
    piece[40000] = static_cast<char>(piece[40000] ^ 1);
    CHECK_FALSE(piece_matches(manifest, 1, piece));
}

TEST_CASE("ingest: a file gives the same manifest as its bytes, with progress to the end") {
    const TempDir dir;
    const auto bytes = noise(2'500'000, 3);
    REQUIRE(write_file_atomic(dir / "file", bytes));
    std::uint64_t last = 0;
    const auto manifest = ingest_file(dir / "file", {}, [&](std::uint64_t done, std::uint64_t all) {
        CHECK(done > last);
        CHECK(all == bytes.size());
        last = done;
    });
    REQUIRE(manifest);
    CHECK(last == bytes.size());
    const auto other = ingested(bytes);
    CHECK(manifest->sha256 == other.sha256);
    CHECK(manifest->piece_layer == other.piece_layer);
    CHECK(manifest->chunks == other.chunks);
    CHECK(manifest->piece_size_bytes == 128 << 10);
}

TEST_CASE("ingest: empty, missing, too long, too short and stopped are errors") {
    const TempDir dir;
    REQUIRE(write_file_atomic(dir / "empty", ""));
    const auto empty = ingest_file(dir / "empty");
    REQUIRE_FALSE(empty);
    CHECK_THAT(empty.error().message, Catch::Contains(dir / "empty") && Catch::Contains("empty"));
    CHECK(ingest_file(dir / "missing").error().code == Errc::not_found);
    auto longer = Ingest::start(10, {});
    REQUIRE(longer);
    CHECK((*longer)->write("12345678901").error().code == Errc::conflict);
    auto shorter = Ingest::start(10, {});
    REQUIRE(shorter);
    REQUIRE((*shorter)->write("123"));
    CHECK((*shorter)->finish().error().code == Errc::conflict);
    std::stop_source stop;
    stop.request_stop();
    REQUIRE(write_file_atomic(dir / "file", "some"));
    CHECK(ingest_file(dir / "file", {.stop = stop.get_token()}).error().code == Errc::cancelled);
    CHECK_FALSE(Ingest::start(10, {.piece_size_bytes = 100'000}));
    CHECK_FALSE(Ingest::start(10, {.chunk_average_bytes = 100'000}));
}

TEST_CASE("chunks: an insertion changes only the chunks around it") {
    auto bytes = noise(4 << 20, 11);
    const auto before = chunks_of(ingested(bytes, {.chunk_average_bytes = 16 << 10}));
    bytes.insert(1'000'000, "a few new bytes");
    const auto after = chunks_of(ingested(bytes, {.chunk_average_bytes = 16 << 10}));
    std::set<std::string> known;
    for (const auto& chunk : before) known.insert(chunk.name);
    std::size_t fresh = 0;
    for (const auto& chunk : after) fresh += known.contains(chunk.name) ? 0 : chunk.length;
    CHECK(fresh > 0);
    CHECK(fresh <= 3 * (64 << 10));
}

TEST_CASE("chunks: lengths keep to their bounds and to the average") {
    const auto sizes = ChunkSizes::around(16 << 10);
    const auto list = chunks_of(ingested(noise(16 << 20, 5), {.chunk_average_bytes = 16 << 10}));
    for (std::size_t i = 0; i + 1 < list.size(); ++i) {
        CHECK(list[i].length >= sizes.min_bytes);
        CHECK(list[i].length <= sizes.max_bytes);
    }
    const double average = static_cast<double>(16 << 20) / static_cast<double>(list.size());
    CHECK(average > 0.7 * (16 << 10));
    CHECK(average < 1.5 * (16 << 10));
}

TEST_CASE("chunks: the rule is fixed, an older manifest's chunks are found by a newer program") {
    const auto manifest = ingested(noise(1 << 20, 1), {.chunk_average_bytes = 16 << 10});
    CHECK(sha256(manifest.chunks).hex() ==
          "7ac64aa82b6e9f3bf64b7e0e245233a5ae3b3433237ade956398f3124dcfb8b7");
}

TEST_CASE("pieces and chunks: sizes grow with the artifact and their counts stay bounded") {
    CHECK(piece_size_for(1) == 128 << 10);
    CHECK(piece_size_for(128ULL << 20) == 128 << 10);
    CHECK(piece_size_for(256ULL << 20) == 256 << 10);
    CHECK(chunk_average_for(1ULL << 30) == 64 << 10);
    for (std::uint64_t size = 1; size <= 256ULL << 30; size = size * 2 + 1) {
        CAPTURE(size);
        CHECK((size + piece_size_for(size) - 1) / piece_size_for(size) <= 8192);
        CHECK(size / (chunk_average_for(size) / 4) <= 65536);
    }
}
