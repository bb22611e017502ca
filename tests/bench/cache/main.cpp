// Fills an agent's cache with real artifacts, and measures what opening it costs.
//
//     bench_cache fill STATE_DIR COUNT [BYTES]    the agent must not run
//     bench_cache open STATE_DIR
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "storage/cache/cache.hpp"
#include "storage/files.hpp"
#include "storage/ingest.hpp"

namespace clarity {
namespace {

using Clock = std::chrono::steady_clock;

double ms_since(Clock::time_point began) {
    return std::chrono::duration<double, std::milli>(Clock::now() - began).count();
}

Bytes noise(std::size_t size, std::uint64_t seed) {
    Bytes out(size, '\0');
    for (auto& byte : out) {
        seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
        byte = static_cast<char>(seed >> 56U);
    }
    return out;
}

Result<void> put(ArtifactCache& cache, std::uint64_t number, std::size_t size) {
    const auto bytes = noise(size, number + 1);
    CLARITY_TRY(auto ingest, Ingest::start(size, {.piece_size_bytes = 16 << 10}));
    CLARITY_CHECK(ingest->write(bytes));
    CLARITY_TRY(auto manifest, ingest->finish());
    manifest.artifact = fmt::format("artifact-{}", number);
    manifest.version = "1.0.0";
    const auto now = static_cast<std::int64_t>(1'700'000'000 + number);
    CLARITY_TRY(const auto path, cache.begin(manifest, now));
    CLARITY_TRY(auto file, File::open_write(path));
    CLARITY_CHECK(file.write_at(bytes, 0));
    return cache.complete(manifest, now).map([](const auto&) {});
}

Result<void> run(const std::string& action, const std::string& state_dir, std::uint64_t count,
                 std::size_t size) {
    const auto began = Clock::now();
    CLARITY_TRY(const auto store, KeyValueStore::open(state_dir + "/db"));
    const auto store_ms = ms_since(began);
    CacheSettings settings;
    settings.root = state_dir + "/cache";
    const auto opened = Clock::now();
    CLARITY_TRY(const auto cache, ArtifactCache::open(settings, *store));
    const auto cache_ms = ms_since(opened);
    if (action == "fill") {
        for (std::uint64_t i = 0; i < count; ++i) CLARITY_CHECK(put(*cache, i, size));
    }
    std::printf(
        "{\"artifacts\": %zu, \"bytes\": %llu, \"store_open_ms\": %.1f, "
        "\"cache_open_ms\": %.1f}\n",
        cache->whole().size(), static_cast<unsigned long long>(cache->size_bytes()), store_ms,
        cache_ms);
    return {};
}

}  // namespace
}  // namespace clarity

int main(int argc, char** argv) {
    const std::string action = argc > 1 ? argv[1] : "";
    const bool fill = action == "fill" && argc >= 4;
    if (!fill && !(action == "open" && argc == 3)) {
        std::fprintf(stderr, "usage: bench_cache fill STATE_DIR COUNT [BYTES] | open STATE_DIR\n");
        return 2;
    }
    const auto count = fill ? std::strtoull(argv[3], nullptr, 10) : 0;
    const auto size = argc > 4 ? std::strtoull(argv[4], nullptr, 10) : 65536;
    const auto done = clarity::run(action, argv[2], count, size);
    if (done) return 0;
    std::fprintf(stderr, "bench_cache: %s\n", done.error().message.c_str());
    return 1;
}
