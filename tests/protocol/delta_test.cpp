#include "protocol/delta.hpp"

#include <catch2/catch.hpp>
#include <set>

#include "protocol/sha256.hpp"

using namespace clarity;
using delta::Range;

namespace {

/// A manifest of chunks with these lengths; the i-th chunk's content is named by names[i].
Manifest chunked(const std::vector<std::uint32_t>& lengths, const std::string& names = "") {
    Manifest out;
    out.artifact = "image";
    out.version = "2";
    for (std::size_t i = 0; i < lengths.size(); ++i) {
        for (unsigned shift = 0; shift < 32; shift += 8) {
            out.chunks += static_cast<char>(lengths[i] >> shift & 0xffU);
        }
        const auto name = i < names.size() ? std::string(1, names[i]) : std::to_string(i);
        out.chunks += chunk_hash(name).view();
        out.size_bytes += lengths[i];
    }
    return out;
}

Manifest stored(Manifest manifest, std::vector<std::pair<std::uint32_t, std::uint16_t>> frames,
                std::uint64_t size) {
    manifest.stored = StoredForm{"zstd", size, {}};
    for (const auto& [bytes, chunks] : frames) {
        delta::append_frame(manifest.stored->frames, bytes, chunks);
    }
    return manifest;
}

delta::IsHeld held(const std::string& names) {
    std::set<ChunkHash> hashes;
    for (const char c : names) hashes.insert(chunk_hash(std::string(1, c)));
    return [hashes](const ChunkHash& hash) { return hashes.contains(hash); };
}

}  // namespace

TEST_CASE("chunk list: offsets follow from the lengths, and must add up to the artifact") {
    auto manifest = chunked({100, 5, 70'000});
    const auto chunks = chunks_of(manifest);
    REQUIRE(chunks);
    REQUIRE(chunks->size() == 3);
    CHECK(chunks->at(2).offset == 105);
    CHECK(chunks->at(2).end() == manifest.size_bytes);
    CHECK(chunks->at(1).hash == chunk_hash("1"));
    manifest.size_bytes -= 1;
    CHECK(chunks_of(manifest).error().code == Errc::invalid);
    CHECK_FALSE(parse_chunks(manifest.chunks.substr(1)));
    CHECK_FALSE(parse_chunks(Bytes(20, '\0')));    // a chunk of no bytes
    CHECK_FALSE(parse_chunks(Bytes(20, '\xff')));  // of four gigabytes
    CHECK(parse_chunks("")->empty());
}

TEST_CASE("delta: a plain file is asked for by chunk, a compressed one by frame") {
    const auto plain = delta::layout_of(chunked({10, 20, 30}));
    REQUIRE(plain);
    CHECK(plain->units.size() == 3);
    CHECK(plain->units[2].offset == 30);
    CHECK(plain->file_bytes == 60);
    CHECK_FALSE(plain->compressed);
    const auto packed = delta::layout_of(stored(chunked({10, 20, 30}), {{15, 2}, {9, 1}}, 50));
    REQUIRE(packed);
    CHECK(packed->compressed);
    CHECK(packed->units.size() == 2);
    CHECK(packed->units[1].offset == 15);
    CHECK(packed->plain_bytes(packed->units[0]) == 30);
    CHECK(packed->file_bytes == 50);
    CHECK(delta::units_by_chunk(*packed) == std::vector<std::uint32_t>{0, 0, 1});
}

TEST_CASE("delta: stored forms that do not fit the chunks are refused with the manifest's name") {
    const auto base = chunked({1000, 2000, 3000});
    const auto refused = [](const Manifest& manifest) {
        const auto layout = delta::layout_of(manifest);
        return !layout && layout.error().code == Errc::invalid &&
               layout.error().message.find("image") != std::string::npos;
    };
    CHECK_FALSE(refused(stored(base, {{500, 1}, {500, 2}}, 2000)));
    CHECK(refused(stored(base, {}, 2000)));
    CHECK(refused(stored(base, {{500, 1}, {500, 1}}, 2000)));            // a chunk is missing
    CHECK(refused(stored(base, {{500, 1}, {500, 3}}, 2000)));            // one too many
    CHECK(refused(stored(base, {{500, 1}, {0, 2}}, 2000)));              // no bytes
    CHECK(refused(stored(base, {{500, 1}, {0xffffffff, 2}}, 1 << 20)));  // longer than its content
    CHECK(refused(stored(base, {{500, 1}, {600, 2}}, 1099)));            // longer than the file
    auto cut = stored(base, {{500, 1}, {500, 2}}, 2000);
    cut.stored->frames.pop_back();
    CHECK(refused(cut));
    auto huge = chunked(std::vector<std::uint32_t>(3, 30U << 20));
    CHECK(refused(stored(huge, {{500, 3}}, 2000)));  // 90 MiB in a frame
    CHECK_FALSE(refused(stored(huge, {{500, 2}, {500, 1}}, 2000)));
    auto unknown = base;
    unknown.stored = StoredForm{"brotli", 10, "x"};
    CHECK(delta::layout_of(unknown).error().code == Errc::unavailable);
    auto none = base;
    none.chunks.clear();
    CHECK(delta::layout_of(none).error().code == Errc::invalid);
}

TEST_CASE("delta: neighbours and what is close together are asked for at once") {
    const auto layout = *delta::layout_of(chunked({1000, 1000, 1000, 1000, 1000, 1000}));
    const auto ranges = [&](std::vector<bool> wanted, std::uint64_t gap) {
        return delta::ranges_for(layout, wanted, gap);
    };
    CHECK(ranges({false, false, false, false, false, false}, 0).empty());
    CHECK(ranges({true, true, false, true, true, true}, 0) == std::vector<Range>{{0, 2}, {3, 6}});
    CHECK(ranges({true, true, false, true, true, true}, 999).size() == 2);
    CHECK(ranges({true, true, false, true, true, true}, 1000) == std::vector<Range>{{0, 6}});
    CHECK(ranges({true, false, false, false, false, true}, 2000).size() == 2);
    CHECK(ranges({false, false, true, false, false, false}, 5000) == std::vector<Range>{{2, 3}});
}

TEST_CASE("delta: the cost counts what is fetched, gaps included, and what is at hand") {
    const auto manifest = chunked(std::vector<std::uint32_t>(6, 10'000), "abcdef");
    const auto layout = *delta::layout_of(manifest);
    const auto cost = delta::cost_of(layout, held("abde"));
    CHECK(cost.wan_bytes == 20'000);
    CHECK(cost.local_bytes == 40'000);
    CHECK(cost.requests == 2);
    CHECK(delta::cost_of(layout, {}).wan_bytes == 60'000);
    CHECK(delta::cost_of(layout, held("abcdef")).wan_bytes == 0);
    // One missing chunk brings its whole frame.
    const auto packed = stored(manifest, {{4000, 3}, {5000, 3}}, 9100);
    CHECK(delta::expected_bytes(packed, held("abde")) == 9000);
    CHECK(delta::expected_bytes(packed, held("abcde")) == 5000);
    CHECK(delta::expected_bytes(manifest, held("abcde")) == 10'000);
}

TEST_CASE("delta: what saves less than a tenth of a plain file does not pay") {
    const auto manifest = chunked({1000, 9000}, "ab");
    CHECK(delta::expected_bytes(manifest, held("a")) == 9000);
    const auto less = chunked({999, 9001}, "ab");
    CHECK(delta::expected_bytes(less, held("a")) == 10'000);
    CHECK_FALSE(delta::pays(*delta::layout_of(less), {9001, 999, 1}));
}
