// Goal: an artifact that landed is there after a power cut, whole and right; one that had not is
// either not there or begins anew from pieces that are right.
// Method: every change to files and index is counted; the power is cut after the Nth, for all N,
// and the cache is opened on what each kind of file system would have kept.
#include "tests/storage/cache/power_cut.hpp"

#include <catch2/catch.hpp>
#include <functional>

#include "storage/cache/cache.hpp"
#include "storage/ingest.hpp"
#include "tests/storage/temp_dir.hpp"

using namespace clarity;
using namespace clarity::test;

namespace {

constexpr std::uint32_t piece_bytes = 16U << 10;

struct Artifact {
    std::string bytes;
    Manifest manifest;
};

const Artifact& sample() {
    static const Artifact artifact = [] {
        Artifact out{noise(70'000, 3), {}};
        auto ingest = Ingest::start(out.bytes.size(), {.piece_size_bytes = piece_bytes});
        REQUIRE((*ingest)->write(out.bytes));
        out.manifest = (*ingest)->finish().value();
        out.manifest.artifact = "app";
        out.manifest.version = "1";
        return out;
    }();
    return artifact;
}

CacheSettings settings(const std::string& root, const std::string& boot_id) {
    CacheSettings out;
    out.root = root;
    out.boot_id = boot_id;
    return out;
}

Result<void> write_piece(ArtifactCache& cache, std::uint32_t piece) {
    const auto& a = sample();
    const auto path = cache.find_partial(a.manifest.sha256);
    if (!path) return fail(Errc::not_found, "no partial file");
    CLARITY_TRY(auto file, File::open_write(*path));
    const auto at = static_cast<std::size_t>(piece) * piece_bytes;
    CLARITY_CHECK(
        file.write_at(std::string_view(a.bytes).substr(at, a.manifest.piece_length(piece)), at));
    return cache.mark_pieces(a.manifest.sha256, {&piece, 1});
}

/// From begin() to complete(); `missing` pieces only. `landed`: complete() has said yes.
Result<void> land(ArtifactCache& cache, bool& landed) {
    const auto& a = sample();
    CLARITY_CHECK(cache.begin(a.manifest, 1));
    const auto have = cache.pieces(a.manifest.sha256);
    for (std::uint32_t piece = 0; piece < a.manifest.piece_count(); ++piece) {
        if (!have[piece]) CLARITY_CHECK(write_piece(cache, piece));
    }
    CLARITY_CHECK(cache.complete(a.manifest, 1));
    landed = true;
    return {};
}

/// What a scene knows when the power is cut.
struct Known {
    bool there = false;    ///< the cache has said that the artifact is whole here
    bool damaged = false;  ///< somebody else has written to it, and it was not put aside yet
};

/// What must hold of a cache after any cut.
void check(ArtifactCache& cache, const Known& known) {
    const auto& a = sample();
    const auto path = cache.find(a.manifest.sha256);
    if (known.there) REQUIRE(path);
    if (path && known.damaged) return;  // nobody knew of it when the power went
    if (path) {
        CHECK(read_file(*path, 1U << 20).value() == a.bytes);
        return;
    }
    const auto partial = cache.begin(a.manifest, 2);
    REQUIRE(partial);
    const auto file = read_file(*partial, 1U << 20).value();
    const auto have = cache.pieces(a.manifest.sha256);
    for (std::uint32_t piece = 0; piece < have.size(); ++piece) {
        if (!have[piece]) continue;
        const auto at = static_cast<std::size_t>(piece) * piece_bytes;
        const auto length = a.manifest.piece_length(piece);
        CHECK(file.substr(at, length) == a.bytes.substr(at, length));
    }
    bool landed = false;
    REQUIRE(land(cache, landed));
    CHECK(read_file(*cache.find(a.manifest.sha256), 1U << 20).value() == a.bytes);
}

using Scene = std::function<void(ArtifactCache&, Known&)>;

/// What is durable is kept by the test itself, so no real disk need sync: 30 s less.
const std::string memory = file_exists("/dev/shm") ? "/dev/shm" : "/tmp";

/// Runs the scene on a cache that has gone through `before`, with a cut after each step.
void cut_everywhere(const Scene& before, const Scene& scene) {
    for (int cut = 0;; ++cut) {
        bool over = false;
        for (const auto survives : {Survives::nothing, Survives::metadata, Survives::all}) {
            for (const bool keep_unsynced : {false, true}) {
                CAPTURE(cut, static_cast<int>(survives), keep_unsynced);
                const TempDir dir(memory);
                REQUIRE(make_dirs(dir / "disk"));
                Machine machine(dir / "disk");
                MachineStore store(&machine);
                tap_files(&machine);
                Known known;
                {
                    auto cache = ArtifactCache::open(settings(dir / "disk/cache", "boot 1"), store);
                    REQUIRE(cache);
                    before(**cache, known);
                    machine.cut_after(cut);
                    scene(**cache, known);
                }
                tap_files(nullptr);
                over = !machine.is_cut();
                REQUIRE(make_dirs(dir / "after"));
                machine.reboot(survives, dir / "after");
                store.reboot(keep_unsynced);
                auto cache = ArtifactCache::open(settings(dir / "after/cache", "boot 2"), store);
                REQUIRE(cache);
                check(**cache, known);
            }
        }
        if (over) {
            CHECK(cut > 1);  // there was something to cut
            return;
        }
    }
}

}  // namespace

TEST_CASE("power cut: an artifact that landed is there and right, whatever step was the last") {
    cut_everywhere([](ArtifactCache&, Known&) {},
                   [](ArtifactCache& cache, Known& known) { (void)land(cache, known.there); });
}

TEST_CASE("power cut: a landed artifact outlives every later change") {
    const auto landed = [](ArtifactCache& cache, Known& known) {
        REQUIRE(land(cache, known.there));
    };
    cut_everywhere(landed, [](ArtifactCache& cache, Known&) {
        const auto& sha256 = sample().manifest.sha256;
        (void)cache.pin(sha256, "operator");
        cache.touch(sha256, 50);
        (void)cache.verify(sha256, 60);
        (void)cache.unpin(sha256, "operator");
        (void)cache.collect();
    });
}

TEST_CASE("power cut: a damaged artifact that was put aside never comes back as whole") {
    const auto damage = [](ArtifactCache& cache, Known& known) {
        bool landed = false;
        REQUIRE(land(cache, landed));
        const auto path = *cache.find(sample().manifest.sha256);
        REQUIRE(change_mode(path, 0640));
        auto file = File::open_write(path);
        REQUIRE(file->write_at("x", 20'000));
        REQUIRE(file->sync());
        known.damaged = true;
    };
    cut_everywhere(damage, [](ArtifactCache& cache, Known& known) {
        const auto& manifest = sample().manifest;
        CHECK(cache.verify(manifest.sha256, 5).value() == ArtifactCache::Verdict::damaged);
        if (!cache.set_aside(manifest.sha256, &manifest)) return;
        known.damaged = false;
        (void)land(cache, known.there);
    });
}

TEST_CASE("power cut: what is dropped is wholly there or not there") {
    const auto landed = [](ArtifactCache& cache, Known&) {
        bool ignored = false;
        REQUIRE(land(cache, ignored));
    };
    cut_everywhere(
        landed, [](ArtifactCache& cache, Known&) { (void)cache.remove(sample().manifest.sha256); });
}
