// clarity artifact add --store zstd: what is written for the repository, and what is signed.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <set>

#include "cli/artifact_store.hpp"
#include "fake_coordinator.hpp"
#include "person.hpp"
#include "protocol/delta.hpp"
#include "storage/files.hpp"

using namespace clarity;
using namespace clarity::test;

namespace {

/// Text that differs from line to line and packs well.
std::string lines(std::size_t size, int seed) {
    std::string out;
    for (int i = 0; out.size() < size; ++i) out += std::to_string(i * 7919 + seed) + " a line\n";
    out.resize(size);
    return out;
}

Manifest registered(const FakeCoordinator& fake, std::size_t number) {
    const auto sent = parse_json(fake.received("POST /api/v1/manifests").at(number)).value();
    const auto bytes = from_base64(sent.at("envelope").get<std::string>()).value();
    return Manifest::decode(Envelope::decode(bytes).value().payload).value();
}

}  // namespace

TEST_CASE("artifact add --store zstd: writes the file and signs where its frames are", "[cli]") {
    const Person person;
    FakeCoordinator fake;
    person.login(fake);
    fake.on("PUT /api/v1/root", Json{{"digest", ""}, {"version", 1}});
    fake.on("POST /api/v1/manifests", Json{{"digest", "d1"}}, 201);
    REQUIRE(person.run({"root", "init"}).code == 0);
    fake.on("GET /api/v1/root", parse_json(fake.received("PUT /api/v1/root").at(0)).value());
    const auto plain = lines(3'000'000, 1);
    const auto file = person.home.write("app.bin", plain);
    std::vector<std::string> add = {"artifact",        "add",       "app@1",        file,
                                    "--type",          "binary",    "--repository", "main",
                                    "--path",          "app-1.zst", "--store",      "zstd",
                                    "--chunk-average", "32768",     "-o",           "json"};
    const auto first = person.run(add);
    CAPTURE(first.err);
    REQUIRE(first.code == 0);
    CHECK(first.err.find("app.bin.zst") != std::string::npos);
    const auto one = registered(fake, 0);
    REQUIRE(one.stored);
    CHECK(one.size_bytes == plain.size());
    CHECK(one.chunk_average_bytes == 32768);
    CHECK(one.stored->size_bytes == *file_size(file + ".zst"));
    CHECK(one.stored->size_bytes < plain.size() / 2);
    CHECK(parse_json(first.out)->at("stored_bytes") == one.stored->size_bytes);
    if (std::system("zstd --version >/dev/null 2>&1") == 0) {
        REQUIRE(std::system(("zstd -q -f -d " + file + ".zst -o " + file + ".back").c_str()) == 0);
        CHECK(*read_file(file + ".back", 8U << 20) == plain);
    } else {
        WARN("left out: the program zstd is not installed");
    }

    // The next version: no frame has both chunks of the first one and new ones.
    const auto sent = parse_json(fake.received("POST /api/v1/manifests").at(0)).value();
    Json listed = Json::array();
    listed.push_back(Json{{"artifact", "app"},
                          {"version", "1"},
                          {"size_bytes", plain.size()},
                          {"digest", "d1"},
                          {"created_unix_s", 1}});
    fake.on("GET /api/v1/manifests", listed);
    fake.on("GET /api/v1/manifests/d1", sent);
    auto bytes = plain;
    bytes.replace(1'500'000, 50'000, lines(50'000, 2));
    add[2] = "app@2";
    add[3] = person.home.write("app2.bin", bytes);
    add.erase(add.begin() + 12, add.begin() + 14);  // the chunk average follows from the first
    const auto second = person.run(add);
    CAPTURE(second.err);
    REQUIRE(second.code == 0);
    const auto two = registered(fake, 1);
    CHECK(fake.received("GET /api/v1/manifests/d1").size() == 1);
    CHECK(two.chunk_average_bytes == 32768);
    std::set<ChunkHash> known;
    const auto old_chunks = chunks_of(one).value();
    for (const auto& chunk : old_chunks) known.insert(chunk.hash);
    const auto layout = delta::layout_of(two).value();
    std::size_t mixed = 0;
    std::size_t fresh = 0;
    for (const auto& unit : layout.units) {
        std::size_t old = 0;
        for (std::uint32_t i = 0; i < unit.chunk_count; ++i) {
            old += known.contains(layout.chunks[unit.first_chunk + i].hash);
        }
        mixed += old != 0 && old != unit.chunk_count;
        fresh += old == 0;
    }
    CHECK(mixed == 0);
    CHECK(fresh > 0);
    CHECK(fresh < layout.units.size() / 2);
}

TEST_CASE("artifact add: options of storing that do not go together are told", "[cli]") {
    const Person person;
    const auto file = person.home.write("app.bin", "x");
    const auto said = [&](std::vector<std::string> more) {
        std::vector<std::string> add = {"artifact", "add",          "app@1", file,     "--type",
                                        "binary",   "--repository", "main",  "--path", "app.bin"};
        add.insert(add.end(), more.begin(), more.end());
        const auto done = person.run(add);
        CHECK(done.code != 0);
        return done.err;
    };
    CHECK(said({"--store", "gzip"}).find("plain or zstd") != std::string::npos);
    CHECK(said({"--level", "3"}).find("--store zstd") != std::string::npos);
    CHECK(said({"--store", "zstd", "--level", "22"}).find("1 to 19") != std::string::npos);
    CHECK(said({"--store", "zstd", "--output", file}).find("the artifact itself") !=
          std::string::npos);
}
