#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "protocol/compression.hpp"
#include "protocol/delta.hpp"
#include "storage/files.hpp"
#include "storage/store_zstd.hpp"
#include "versions.hpp"

using namespace clarity;
using std::chrono::seconds;

namespace {

void overwrite(const std::string& path, std::uint64_t offset, const std::string& bytes) {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(offset));
    file << bytes;
}

}  // namespace

TEST_CASE("delta: a new version costs the WAN what is new in it, also for who holds nothing") {
    const bool zstd = GENERATE(false, true);
    CAPTURE(zstd);
    TempFolder folder;
    Origin origin(folder.path);
    Site site(3);
    const auto one = publish(site, origin, image(12U << 20, 1), "1", zstd);
    const auto two = publish(site, origin, upgrade(one.bytes), "2", zstd, &one.manifest);
    seed_with(site, one, {0, 1});
    const auto before = origin.body_bytes();
    const auto file_bytes = zstd ? two.manifest.stored->size_bytes : two.manifest.size_bytes;
    if (!zstd) CHECK(before == one.bytes.size());
    if (zstd) CHECK(before < one.bytes.size() * 6 / 10);

    want(site, two.manifest);
    check_all(site, two);
    const auto sent = site.wan_bytes(two.manifest.sha256);
    REQUIRE(site.run_until([&] { return origin.body_bytes() - before >= sent; }));
    std::cout << "delta: upgrade of " << file_bytes << " stored bytes pulled " << sent << "\n";
    CHECK(origin.body_bytes() - before == sent);
    CHECK(sent == expected(two, one));
    CHECK(sent < file_bytes / 8);
    // The one that held nothing got it over the LAN, and fetched nothing.
    CHECK(Site::holding(*site.nodes[2], two.manifest.sha256).wan_bytes == 0);
    FetchTotals totals;
    for (const auto& node : site.nodes) {
        totals.delta_fetches += node->swarm->fetch_totals().delta_fetches;
        totals.local_bytes += node->swarm->fetch_totals().local_bytes;
    }
    CHECK(totals.delta_fetches == (zstd ? 2 : 1));
    CHECK(totals.local_bytes > two.bytes.size() * 9 / 10);
}

TEST_CASE("delta: when fetching chunk by chunk would not pay, the whole file is streamed") {
    TempFolder folder;
    Origin origin(folder.path);
    Site site(2);
    const auto one = publish(site, origin, image(4U << 20, 1), "1", false);
    // The last 5 % are the old ones.
    const auto two =
        publish(site, origin, image(4U << 20, 2) + one.bytes.substr(one.bytes.size() * 95 / 100),
                "2", false);
    seed_with(site, one, {0, 1});
    const auto requests = origin.requests();
    want(site, two.manifest);
    check_all(site, two);
    REQUIRE(site.run_until([&] { return origin.requests() > requests; }));
    CHECK(origin.requests() == requests + 1);
    CHECK(site.wan_bytes(two.manifest.sha256) == two.bytes.size());
    CHECK(site.nodes[0]->swarm->fetch_totals().whole_fetches +
              site.nodes[1]->swarm->fetch_totals().whole_fetches ==
          2);
}

TEST_CASE("delta: a server that ignores ranges sends the whole file, and that is enough") {
    const bool zstd = GENERATE(false, true);
    CAPTURE(zstd);
    TempFolder folder;
    Origin origin(folder.path, 0, "max_ranges 0;");
    Site site(2);
    const auto one = publish(site, origin, image(4U << 20, 1), "1", zstd);
    const auto two = publish(site, origin, upgrade(one.bytes), "2", zstd, &one.manifest);
    seed_with(site, one, {0, 1});
    want(site, two.manifest);
    check_all(site, two);
    const auto file_bytes = zstd ? two.manifest.stored->size_bytes : two.manifest.size_bytes;
    // The first request was for a range, and was cut as soon as its answer was seen.
    CHECK(site.wan_bytes(two.manifest.sha256) <= file_bytes + (256U << 10));
}

TEST_CASE("delta: frames that are not what was signed are refused by name, and reach nobody") {
    TempFolder folder;
    Origin origin(folder.path);
    Site site(2);
    const auto it = publish(site, origin, image(4U << 20, 1), "1", true);
    const auto layout = *delta::layout_of(it.manifest);
    const auto& unit = layout.units[5];
    const std::string path = origin.root() + "/image-1.zst";
    std::string what;
    SECTION("garbage") {
        overwrite(path, unit.offset, noise(unit.length, 77));
        what = "no zstd frame";
    }
    SECTION("a bomb: a frame that holds 8 GB") {
        overwrite(path, unit.offset, std::string("\x28\xb5\x2f\xfd\xe0\0\0\0\0\2\0\0\0", 13));
        what = "over the limit";
    }
    SECTION("other contents of the right length") {
        const auto plain =
            it.bytes.substr(layout.chunks[unit.first_chunk].offset, layout.plain_bytes(unit));
        std::string packed;
        for (std::size_t at = 0; packed.size() != unit.length; at += 101) {
            REQUIRE(at < plain.size());
            auto other = plain;
            other[at] = static_cast<char>(other[at] ^ 1);
            packed = compression::pack(other, {}, 3);
        }
        overwrite(path, unit.offset, packed);
        what = "has another hash";
    }
    want(site, it.manifest);
    REQUIRE(site.run_until([&] {
        return std::any_of(site.nodes.begin(), site.nodes.end(),
                           [](const auto& node) { return !node->errors.empty(); });
    }));
    for (const auto& node : site.nodes) {
        CHECK(node->complete.empty());
        for (const auto& error : node->errors) {
            CAPTURE(error.message);
            CHECK(error.code == Errc::invalid);
            CHECK(error.message.find("image@1") != std::string::npos);
            CHECK(error.message.find("origin-1") != std::string::npos);
            CHECK(error.message.find(what) != std::string::npos);
            CHECK(error.message.find(std::to_string(unit.offset)) != std::string::npos);
        }
    }
    // Everything else is here; once the publisher mends the file, the rest comes.
    REQUIRE(write_file_atomic(site.folder.path + "/again", it.bytes));
    REQUIRE(store_zstd(site.folder.path + "/again", it.manifest, path, {.level = 3}));
    REQUIRE(site.run_until([&] { return site.all_complete(it.manifest.sha256); }));
    for (const auto& node : site.nodes) {
        CHECK(contents(node->complete[it.manifest.sha256]) == it.bytes);
    }
    CHECK(site.wan_bytes(it.manifest.sha256) <
          it.manifest.stored->size_bytes + 10ULL * unit.length);
}

TEST_CASE("delta: a file of another size at the origin is told before a byte is believed") {
    TempFolder folder;
    Origin origin(folder.path);
    Site site(2);
    const auto it = publish(site, origin, image(2U << 20, 1), "1", true);
    REQUIRE(write_file_atomic(origin.root() + "/image-1.zst", it.bytes));  // the plain bytes
    want(site, it.manifest);
    REQUIRE(site.run_until([&] {
        return std::any_of(site.nodes.begin(), site.nodes.end(),
                           [](const auto& node) { return !node->errors.empty(); });
    }));
    for (const auto& node : site.nodes) {
        for (const auto& error : node->errors) {
            CAPTURE(error.message);
            CHECK(error.code == Errc::conflict);
            CHECK(error.message.find("image@1") != std::string::npos);
            CHECK(error.message.find("origin-1") != std::string::npos);
        }
    }
}

TEST_CASE("delta: what rotted in the cache is fetched instead") {
    TempFolder folder;
    Origin origin(folder.path);
    Site site(1);
    const auto one = publish(site, origin, image(4U << 20, 1), "1", false);
    const auto two = publish(site, origin, upgrade(one.bytes), "2", false);
    seed_with(site, one, {0});
    const auto path = site.nodes[0]->complete[one.manifest.sha256];
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    overwrite(path, 1'000'000, "not what it was");
    want(site, two.manifest);
    check_all(site, two);
    const auto sent = site.wan_bytes(two.manifest.sha256);
    CHECK(sent > expected(two, one));
    CHECK(sent <= expected(two, one) + (512U << 10));
}

TEST_CASE("delta: a cut connection is taken up again and nothing is pulled twice") {
    TempFolder folder;
    Origin origin(folder.path, 2U << 20);
    Site site(2);
    const auto it = publish(site, origin, image(8U << 20, 1), "1", true);
    want(site, it.manifest);
    REQUIRE(site.run_until([&] { return site.wan_bytes(it.manifest.sha256) > (1U << 20); }));
    origin.stop();
    REQUIRE(site.run_until([&] {
        return std::any_of(site.nodes.begin(), site.nodes.end(), [&](const auto& node) {
            return !Site::holding(*node, it.manifest.sha256).error.empty();
        });
    }));
    origin.start();
    check_all(site, it);
    CHECK(site.wan_bytes(it.manifest.sha256) <= it.manifest.stored->size_bytes + (64U << 10));
}
