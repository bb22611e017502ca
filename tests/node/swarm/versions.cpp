#include "versions.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "protocol/delta.hpp"
#include "storage/files.hpp"
#include "storage/ingest.hpp"
#include "storage/store_zstd.hpp"

using namespace clarity;

namespace {

std::set<ChunkHash> hashes_of(const Manifest& manifest) {
    const auto chunks = chunks_of(manifest).value();
    std::set<ChunkHash> out;
    for (const auto& chunk : chunks) out.insert(chunk.hash);
    return out;
}

}  // namespace

std::string image(std::size_t size, std::uint32_t seed) {
    std::string out = noise(size, seed);
    for (std::size_t at = 0; at + 40'000 < size; at += 40'000) {
        std::fill_n(out.begin() + static_cast<std::ptrdiff_t>(at), 20'000,
                    static_cast<char>('a' + at / 40'000 % 26));
    }
    return out;
}

std::string upgrade(std::string bytes) {
    bytes.insert(bytes.size() / 4, noise(1000, 900));
    bytes.replace(bytes.size() / 2, 100'000, noise(100'000, 901));
    return bytes + noise(150'000, 902);
}

Version publish(Site& site, const Origin& origin, std::string bytes, const std::string& version,
                bool zstd, const Manifest* earlier) {
    const std::string name = "image-" + version;
    const std::string path = (zstd ? site.folder.path : origin.root()) + "/" + name;
    REQUIRE(write_file_atomic(path, bytes));
    Version out{std::move(bytes), *ingest_file(path, {.piece_size_bytes = 128U << 10})};
    out.manifest.artifact = "image";
    out.manifest.version = version;
    out.manifest.sources = {{"origin-1", zstd ? name + ".zst" : name}};
    if (zstd) {
        StoreSettings settings{.level = 3};
        const auto known = earlier != nullptr ? hashes_of(*earlier) : std::set<ChunkHash>{};
        settings.known = [&](const ChunkHash& hash) { return known.contains(hash); };
        out.manifest.stored =
            *store_zstd(path, out.manifest, origin.root() + "/" + name + ".zst", settings);
    }
    site.set_repository(origin.url());
    out.manifest = Manifest::decode(out.manifest.encode()).value();
    return out;
}

void want(Site& site, const Manifest& manifest) {
    for (auto& node : site.nodes) {
        if (node->swarm) node->swarm->want(manifest, "test");
    }
}

void check_all(Site& site, const Version& version) {
    REQUIRE(site.run_until([&] { return site.all_complete(version.manifest.sha256); }));
    for (const auto& node : site.nodes) {
        if (!node->swarm) continue;
        CHECK(contents(node->complete[version.manifest.sha256]) == version.bytes);
        CHECK(node->errors.empty());
    }
}

void seed_with(Site& site, const Version& version, std::initializer_list<std::size_t> nodes) {
    for (const auto node : nodes) site.nodes[node]->swarm->want(version.manifest, "test");
    REQUIRE(site.run_until([&] {
        return std::all_of(nodes.begin(), nodes.end(), [&](auto node) {
            return site.nodes[node]->complete.contains(version.manifest.sha256);
        });
    }));
}

std::uint64_t expected(const Version& wanted, const Version& held) {
    const auto known = hashes_of(held.manifest);
    return delta::expected_bytes(wanted.manifest,
                                 [&](const ChunkHash& hash) { return known.contains(hash); });
}
