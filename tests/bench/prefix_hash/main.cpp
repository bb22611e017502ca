// SHA-256 of a file while it comes in, beside SHA-256 over memory on the same core: prints GB/s of
// both, in turns, and their ratio.
// Run: bench_prefix_hash [MEBIBYTES] [ROUNDS] (1024 8); the file is made in TMPDIR or /tmp. It
// grows by 4 MiB, as the swarm tells of them; what is timed is the hashing alone, each step from
// the page cache.
#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "node/swarm/prefix_hash.hpp"
#include "protocol/sha256.hpp"
#include "storage/files.hpp"

namespace {

using namespace clarity;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t step_bytes = 4U << 20;

Bytes noise() {
    Bytes out(step_bytes, '\0');
    std::uint64_t seed = 1;
    for (auto& each : out) {
        seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
        each = static_cast<char>(seed >> 56U);
    }
    return out;
}

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

double hash_memory(const Bytes& block, std::uint64_t steps, Digest& digest) {
    Sha256 hash;
    const auto start = Clock::now();
    for (std::uint64_t i = 0; i < steps; ++i) hash.update(block);
    digest = hash.finish();
    return seconds_since(start);
}

Result<double> hash_growing(const std::string& path, const Bytes& block, std::uint64_t steps,
                            Digest& digest) {
    CLARITY_TRY(auto file, File::create(path));
    CLARITY_CHECK(file.resize(steps * step_bytes));
    swarm::PrefixHash hash(path, steps * step_bytes);
    double took = 0;
    for (std::uint64_t i = 0; i < steps; ++i) {
        CLARITY_CHECK(file.write_at(block, i * step_bytes));
        const auto start = Clock::now();
        CLARITY_CHECK(hash.advance((i + 1) * step_bytes, {}));
        took += seconds_since(start);
    }
    const auto start = Clock::now();
    CLARITY_TRY(digest, hash.finish({}));
    return took + seconds_since(start);
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

Result<void> run(const std::string& path, std::uint64_t steps, int rounds) {
    const auto block = noise();
    const auto bytes = static_cast<double>(steps * step_bytes);
    std::vector<double> memory;
    std::vector<double> growing;
    for (int i = 0; i < rounds; ++i) {
        Digest expected;
        Digest digest;
        memory.push_back(bytes / hash_memory(block, steps, expected) / 1e9);
        CLARITY_TRY(const auto took, hash_growing(path, block, steps, digest));
        growing.push_back(bytes / took / 1e9);
        CLARITY_CHECK(remove_all(path));
        if (digest != expected) return fail(Errc::invalid, "the digests differ");
        fmt::print("over memory {:.3f} GB/s, growing file {:.3f} GB/s\n", memory.back(),
                   growing.back());
    }
    fmt::print("median: over memory {:.3f} GB/s, growing file {:.3f} GB/s, ratio {:.3f}\n",
               median(memory), median(growing), median(growing) / median(memory));
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    const auto mebibytes = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1024;
    const int rounds = argc > 2 ? std::atoi(argv[2]) : 8;
    const char* where = ::getenv("TMPDIR");
    std::string folder = fmt::format("{}/clarity-bench-XXXXXX", where != nullptr ? where : "/tmp");
    if (::mkdtemp(folder.data()) == nullptr || rounds < 1 || mebibytes < 4) {
        fmt::print(stderr, "bench_prefix_hash: no folder {}, or nothing to do\n", folder);
        return 1;
    }
    const auto done = run(folder + "/artifact", mebibytes / 4, rounds);
    (void)remove_all(folder);
    if (!done) fmt::print(stderr, "bench_prefix_hash: {}\n", done.error().message);
    return done ? 0 : 1;
}
