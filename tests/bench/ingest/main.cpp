// How fast an artifact is read, hashed and cut up: prints GB/s and the peak memory.
// Run: bench_ingest [MEBIBYTES] (1024); the file is made in TMPDIR or /tmp and stays in the page
// cache, so that the disk does not count.
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <vector>

#include "storage/files.hpp"
#include "storage/ingest.hpp"

namespace {

using namespace clarity;

/// Half noise, half holes, in stretches of 4 MiB.
Result<void> make_file(const std::string& path, std::uint64_t size) {
    CLARITY_TRY(auto file, File::create(path));
    CLARITY_CHECK(file.resize(size));
    std::vector<std::uint64_t> noise((1U << 20) / 8);
    std::uint64_t seed = 1;
    for (std::uint64_t at = 0; at < size; at += noise.size() * 8) {
        for (auto& each : noise) {
            seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
            each = seed ^ seed >> 29U;
        }
        if (at / (4U << 20) % 2 != 0) continue;
        const auto part = std::min<std::uint64_t>(noise.size() * 8, size - at);
        CLARITY_CHECK(file.write_at({reinterpret_cast<const char*>(noise.data()), part}, at));
    }
    return {};
}

double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

int run(const std::string& path, std::uint64_t size) {
    if (auto made = make_file(path, size); !made) {
        fmt::print(stderr, "bench_ingest: {}\n", made.error().message);
        return 1;
    }
    for (int round = 0; round < 4; ++round) {
        rusage before{};
        getrusage(RUSAGE_SELF, &before);
        const auto start = std::chrono::steady_clock::now();
        const auto manifest = ingest_file(path);
        const double took = seconds_since(start);
        if (!manifest) {
            fmt::print(stderr, "bench_ingest: {}\n", manifest.error().message);
            return 1;
        }
        rusage after{};
        getrusage(RUSAGE_SELF, &after);
        const auto cpu = [](const rusage& u) {
            return static_cast<double>(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
                   static_cast<double>(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
        };
        fmt::print(
            "{}: {:.2f} GB/s, {:.2f} s, {:.2f} s of CPU, peak memory {} KiB, {} pieces, "
            "{} chunks\n",
            round == 0 ? "first pass (fills the page cache)" : "again",
            static_cast<double>(size) / 1e9 / took, took, cpu(after) - cpu(before), after.ru_maxrss,
            manifest->piece_count(), manifest->chunks.size() / 20);
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const std::uint64_t mebibytes = argc > 1 ? std::stoull(argv[1]) : 1024;
    const char* where = ::getenv("TMPDIR");
    std::string dir = std::string(where != nullptr ? where : "/tmp") + "/clarity-bench-XXXXXX";
    if (::mkdtemp(dir.data()) == nullptr) {
        fmt::print(stderr, "bench_ingest: cannot make a folder {}\n", dir);
        return 1;
    }
    const int code = run(dir + "/artifact", mebibytes << 20U);
    (void)remove_all(dir);
    return code;
}
