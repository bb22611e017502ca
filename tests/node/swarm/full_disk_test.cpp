#include <sys/mount.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "protocol/election.hpp"
#include "versions.hpp"

using namespace clarity;
using std::chrono::seconds;

namespace {

/// A file system of its own with little room, gone in the end.
class SmallDisk {
  public:
    SmallDisk(std::string path, const std::string& size) : path_(std::move(path)) {
        std::filesystem::create_directories(path_);
        mounted_ = mount("tmpfs", path_.c_str(), "tmpfs", 0, ("size=" + size).c_str()) == 0;
        if (!mounted_) std::cout << "SKIP: no mount of a tmpfs: " << std::strerror(errno) << "\n";
    }
    ~SmallDisk() {
        if (mounted_) umount2(path_.c_str(), MNT_DETACH);
    }
    SmallDisk(const SmallDisk&) = delete;
    SmallDisk& operator=(const SmallDisk&) = delete;

    [[nodiscard]] bool mounted() const { return mounted_; }
    void resize(const std::string& size) const {
        REQUIRE(mount("tmpfs", path_.c_str(), "tmpfs", MS_REMOUNT, ("size=" + size).c_str()) == 0);
    }
    /// By somebody else's files.
    void fill() const {
        std::ofstream file(path_ + "/others", std::ios::binary);
        const std::string block(64U << 10, 'x');
        while (file.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
        }
    }
    void free() const { std::filesystem::remove(path_ + "/others"); }

  private:
    std::string path_;
    bool mounted_ = false;
};

/// Two nodes, of which the first in rank has its cache on a small disk. Whoever waits for a delay
/// of rank waits for longer than the test.
struct Scene {
    TempFolder folder;
    Origin origin;
    Site site{2};
    Version it;
    Node* small = nullptr;
    Node* other = nullptr;

    explicit Scene(std::uint64_t rate = 0) : origin(folder.path, rate) {
        it = publish(site, origin, noise(8U << 20, 5), "1", false);
        const auto first = election::rank(it.manifest.sha256, {"server-1", "server-2"}).front();
        for (auto& node : site.nodes) (node->id == first ? small : other) = node.get();
    }
    void restart() {
        for (auto& node : site.nodes) {
            site.stop(*node);
            site.start(*node, [](SwarmSettings& settings) { settings.fetch_delay_ms = 60000; });
        }
    }
    [[nodiscard]] std::string disk() const { return small->folder + "/cache"; }
    void check_told() const {
        const auto& error = small->errors.front();
        CAPTURE(error.message);
        CHECK(error.code == Errc::no_space);
        CHECK(error.message.find(disk()) != std::string::npos);
        CHECK(error.message.find("free some space") != std::string::npos);
        CHECK(error.message.find("image") != std::string::npos);
    }
    /// Pulled on by the other at once, and had by both once there is room.
    void check_other_pulls() {
        REQUIRE(site.run_until([&] { return other->complete.contains(it.manifest.sha256); },
                               seconds(20)));
        CHECK(other->errors.empty());
        CHECK(contents(other->complete[it.manifest.sha256]) == it.bytes);
    }
    void check_small_gets_it() {
        const auto wan_bytes = site.wan_bytes(it.manifest.sha256);
        REQUIRE(site.run_until([&] { return small->complete.contains(it.manifest.sha256); }));
        CHECK(contents(small->complete[it.manifest.sha256]) == it.bytes);
        CHECK(site.wan_bytes(it.manifest.sha256) == wan_bytes);
    }
};

}  // namespace

TEST_CASE("full disk: who has no room for an artifact says so and leaves the pull to the next") {
    Scene scene;
    const SmallDisk disk(scene.disk(), "4m");
    if (!disk.mounted()) return;
    scene.restart();
    want(scene.site, scene.it.manifest);
    REQUIRE(scene.site.run_until([&] { return !scene.small->errors.empty(); }, seconds(5)));
    scene.check_told();
    REQUIRE(
        scene.site.run_until([&] { return !scene.small->swarm->passes().empty(); }, seconds(2)));
    const auto passes = scene.small->swarm->passes();
    REQUIRE(passes.size() == 1);
    CHECK_FALSE(passes[0].willing);
    CHECK(passes[0].reason.find("free") != std::string::npos);
    scene.check_other_pulls();
    CHECK(scene.site.wan_bytes(scene.it.manifest.sha256) == scene.it.bytes.size());
    disk.resize("64m");
    scene.check_small_gets_it();
}

TEST_CASE("full disk: one that fills up during a pull hands it on with what came") {
    Scene scene(3U << 20);
    const SmallDisk disk(scene.disk(), "12m");
    if (!disk.mounted()) return;
    scene.restart();
    want(scene.site, scene.it.manifest);
    const auto& sha256 = scene.it.manifest.sha256;
    REQUIRE(scene.site.run_until(
        [&] { return Site::holding(*scene.small, sha256).pieces_have >= 16; }));
    CHECK(scene.site.fetcher(sha256) == scene.small);
    disk.fill();
    REQUIRE(scene.site.run_until([&] { return !scene.small->errors.empty(); }, seconds(10)));
    scene.check_told();
    scene.check_other_pulls();
    const auto wan_bytes = scene.site.wan_bytes(sha256);
    std::cout << "full disk: " << wan_bytes << " of " << scene.it.bytes.size() << " bytes pulled\n";
    CHECK(wan_bytes < scene.it.bytes.size() * 5 / 4);
    disk.free();
    scene.check_small_gets_it();
}
