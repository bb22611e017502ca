// Goal: a member that serves wrong pieces, slowly or never costs the others little, and is named.
// Method: real swarms and a real origin; the hostile one has a certificate of the site's CA, so
// that nothing but its doings tells it from the others.
#include "hostile_peer.hpp"

#include <catch2/catch.hpp>
#include <filesystem>

#include "origin.hpp"

using namespace clarity;
using std::chrono::seconds;

namespace {

struct Scene {
    explicit Scene(std::size_t honest, std::uint64_t origin_bytes_s = 0)
        : origin(folder.path, origin_bytes_s), site(honest), bytes(noise(8U << 20, 21)) {
        manifest = site.publish(origin, bytes);
    }
    /// One more member, which is let in and dialled like the others.
    HostilePeer& add(HostilePeer::Way way) {
        const auto& first = site.nodes[0]->address;
        const auto number = std::to_string(200 + hostile.size());
        hostile.push_back(
            std::make_unique<HostilePeer>(site.ca, first.substr(0, first.rfind('.') + 1) + number,
                                          folder.path + "/mallory" + number, manifest, bytes, way));
        const auto name = "mallory-" + std::to_string(hostile.size());
        Holding lie;
        lie.sha256 = manifest.sha256;
        lie.size_bytes = manifest.size_bytes;
        lie.pieces = lie.pieces_have = static_cast<std::uint32_t>(manifest.piece_count());
        lie.complete = true;
        ServerClaims claims;
        claims.alive = true;
        claims.holdings = {lie};
        site.add_peer({name, name, hostile.back()->endpoint(), true}, claims);
        return *hostile.back();
    }
    [[nodiscard]] bool everywhere(seconds within) {
        return site.run_until([&] { return site.all_complete(manifest.sha256); }, within);
    }
    void check_bytes() const {
        for (const auto& node : site.nodes) {
            CHECK(contents(node->complete.at(manifest.sha256)) == bytes);
        }
    }

    TempFolder folder;
    Origin origin;
    Site site;
    std::string bytes;
    Manifest manifest;
    std::vector<std::unique_ptr<HostilePeer>> hostile;
};

}  // namespace

TEST_CASE("hostile peer: who serves wrong pieces is shut out and named, the others finish") {
    Scene scene(3, 4U << 20);
    auto& mallory = scene.add(HostilePeer::Way::wrong);
    scene.site.want_everywhere(scene.manifest);
    REQUIRE(scene.everywhere(seconds(30)));
    scene.check_bytes();
    REQUIRE(mallory.sent_bytes() > 0);  // else nothing was tried
    std::uint64_t named = 0;
    for (const auto& node : scene.site.nodes) {
        for (const auto& [peer, times] : node->swarm->offenders()) {
            CHECK(peer == "mallory-1");
            named += times;
        }
    }
    CHECK(named > 0);
    // Each was served a bounded number of wrong pieces before it shut the door.
    CHECK(mallory.sent_bytes() < scene.bytes.size() / 2);
    CHECK(scene.site.wan_bytes(scene.manifest.sha256) <= scene.bytes.size() * 11 / 10);
}

TEST_CASE("hostile peer: one shut out for one artifact is not let in for the next") {
    Scene scene(2);
    auto& mallory = scene.add(HostilePeer::Way::wrong);
    // Without an origin the only holder is the hostile one: all that comes is wrong.
    scene.site.nodes[0]->swarm->set_repositories({});
    scene.site.nodes[0]->swarm->want(scene.manifest, "test");
    REQUIRE(scene.site.run_until([&] { return !scene.site.nodes[0]->swarm->offenders().empty(); },
                                 seconds(30)));
    const auto sent = mallory.sent_bytes();
    CHECK_FALSE(
        scene.site.run_until([&] { return mallory.sent_bytes() > sent + (1U << 20); }, seconds(3)));
    CHECK(Site::holding(*scene.site.nodes[0], scene.manifest.sha256).pieces_have == 0);
}

TEST_CASE("hostile peer: who claims every piece and serves none delays nobody for long") {
    Scene scene(3);
    auto& first = scene.add(HostilePeer::Way::silent);
    scene.add(HostilePeer::Way::silent);
    scene.site.want_everywhere(scene.manifest);
    REQUIRE(scene.everywhere(seconds(45)));  // the patience with a holder, and a pull
    scene.check_bytes();
    CHECK(first.asked() > 0);
    CHECK(scene.site.wan_bytes(scene.manifest.sha256) <= scene.bytes.size() * 11 / 10);
}

TEST_CASE("hostile peer: who serves slowly is left for the others") {
    Scene scene(3);
    auto& mallory = scene.add(HostilePeer::Way::slow);
    scene.site.want_everywhere(scene.manifest);
    REQUIRE(scene.everywhere(seconds(45)));  // the patience with a holder, and a pull
    scene.check_bytes();
    CHECK(mallory.asked() > 0);
    CHECK(scene.site.wan_bytes(scene.manifest.sha256) <= scene.bytes.size() * 11 / 10);
}
