#include "node/swarm/swarm.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "protocol/sha256.hpp"
#include "site.hpp"

using namespace clarity;
using std::chrono::seconds;

namespace {

void corrupt(const std::string& path, std::uint64_t offset) {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekg(static_cast<std::streamoff>(offset));
    const char was = static_cast<char>(file.get());
    file.seekp(static_cast<std::streamoff>(offset));
    file.put(static_cast<char>(was ^ 1));
}

double since(std::chrono::steady_clock::time_point begin) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

TEST_CASE("swarm: four nodes finish a moment after one pull over the WAN") {
    TempFolder folder;
    const std::uint64_t rate = 6'250'000;  // 50 Mbit/s
    Origin origin(folder.path, rate);
    Site site(4);
    const auto bytes = noise(24U << 20, 1);
    const auto manifest = site.publish(origin, bytes);
    const auto begin = std::chrono::steady_clock::now();
    site.want_everywhere(manifest);
    REQUIRE(site.run_until([&] { return site.all_complete(manifest.sha256); }));
    const double took = since(begin);
    for (const auto& node : site.nodes) {
        CHECK(contents(node->complete[manifest.sha256]) == bytes);
        CHECK(node->errors.empty());
    }
    const double share = static_cast<double>(origin.body_bytes()) / double(bytes.size());
    const double bound = double(bytes.size()) / double(rate);
    std::cout << "swarm: 4 nodes, 24 MiB at 50 Mbit/s: " << took << " s (WAN bound " << bound
              << " s), origin sent " << share << " x size\n";
    CHECK(share <= 1.02);
    CHECK(took <= 1.1 * bound + 2);
    CHECK(site.wan_bytes(manifest.sha256) == origin.body_bytes());
    // Goes on seeding from the objects: one that comes late gets it without the origin.
    auto& late = *site.nodes[0];
    site.stop(late);
    std::filesystem::remove_all(late.folder);
    std::filesystem::create_directories(late.folder);
    site.start(late);
    late.swarm->want(manifest, "test");
    REQUIRE(site.run_until([&] { return site.all_complete(manifest.sha256); }));
    CHECK(Site::holding(late, manifest.sha256).wan_bytes == 0);
    const auto from_peers = [&] { return Site::holding(late, manifest.sha256).lan_bytes; };
    CHECK(site.run_until([&] { return from_peers() >= bytes.size(); }, seconds(5)));
}

TEST_CASE("swarm: one piece only, or a short last piece, is shared as well") {
    TempFolder folder;
    Origin origin(folder.path);
    Site site(3);
    const auto size = GENERATE(as<std::size_t>{}, 1, 50001, 131072, 1000001);
    const auto bytes = noise(size, 2);
    const auto manifest = site.publish(origin, bytes);
    site.want_everywhere(manifest);
    REQUIRE(site.run_until([&] { return site.all_complete(manifest.sha256); }));
    REQUIRE(site.run_until([&] { return origin.requests() >= 1; }));
    CHECK(origin.body_bytes() == size);
    CHECK(site.wan_bytes(manifest.sha256) == size);
}

TEST_CASE("swarm: when the fetcher dies half-way another goes on from what the site has") {
    TempFolder folder;
    Origin origin(folder.path, 4U << 20);
    Site site(4);
    const auto bytes = noise(16U << 20, 3);
    const auto manifest = site.publish(origin, bytes);
    site.want_everywhere(manifest);
    Node* victim = nullptr;
    REQUIRE(site.run_until([&] {
        victim = site.fetcher(manifest.sha256);
        return victim != nullptr &&
               Site::holding(*victim, manifest.sha256).pieces_have >= manifest.piece_count() / 2;
    }));
    const auto spent = Site::holding(*victim, manifest.sha256).wan_bytes;
    site.stop(*victim);
    REQUIRE(site.run_until([&] { return site.all_complete(manifest.sha256); }));
    const auto total = spent + site.wan_bytes(manifest.sha256);
    // nginx logs a cut request when it notices, which may be after the last byte of the other.
    REQUIRE(site.run_until([&] { return origin.requests() >= 2; }));
    std::cout << "swarm: fetcher killed half-way: origin sent "
              << double(origin.body_bytes()) / double(bytes.size()) << " x size, counted "
              << double(total) / double(bytes.size()) << "\n";
    CHECK(double(origin.body_bytes()) <= 1.1 * double(bytes.size()));
    CHECK(double(total) <= 1.1 * double(bytes.size()));
    for (const auto& node : site.nodes) {
        if (node->swarm) CHECK(contents(node->complete[manifest.sha256]) == bytes);
    }
}

TEST_CASE("swarm: a byte changed at the origin is refused by name and reaches nobody") {
    TempFolder folder;
    Origin origin(folder.path);
    Site site(3);
    const auto bytes = noise(2U << 20, 4);
    const auto manifest = site.publish(origin, bytes);
    corrupt(origin.root() + "/artifact", 5 * manifest.piece_size_bytes + 77);
    site.want_everywhere(manifest);
    REQUIRE(site.run_until([&] {
        return std::any_of(site.nodes.begin(), site.nodes.end(),
                           [](const auto& node) { return !node->errors.empty(); });
    }));
    for (const auto& node : site.nodes) {
        CHECK(node->complete.empty());
        for (const auto& error : node->errors) {
            CAPTURE(error.message);
            CHECK(error.code == Errc::invalid);
            CHECK(error.message.find("smsgateway@3.2.1") != std::string::npos);
            CHECK(error.message.find("piece 5 ") != std::string::npos);
            CHECK(error.message.find("origin-1") != std::string::npos);
        }
        // The other pieces are shared all the same; the wrong one nobody has.
        CHECK(site.run_until([&] {
            return Site::holding(*node, manifest.sha256).pieces_have == manifest.piece_count() - 1;
        }));
        const auto partial = contents(*node->cache->find_partial(manifest.sha256));
        const auto offset = 5 * manifest.piece_size_bytes;
        CHECK(partial.substr(offset, manifest.piece_size_bytes) ==
              std::string(manifest.piece_size_bytes, '\0'));
    }
    // Bounded: far less than pulling it again and again.
    CHECK(origin.body_bytes() < 2 * bytes.size());
}

TEST_CASE("swarm: a stranger with a certificate of its own making gets nothing") {
    TempFolder folder;
    Origin origin(folder.path);
    Site site(3);
    const auto bytes = noise(1U << 20, 5);
    const auto manifest = site.publish(origin, bytes);
    // Its address is let in; it even knows the site's CA, so that it computes the same infohash.
    TestCa foreign;
    Node& stranger = *site.nodes[2];
    site.stop(stranger);
    stranger.identity = foreign.issue("server-3");
    site.start(stranger);
    stranger.swarm->set_repositories({});
    site.want_everywhere(manifest);
    REQUIRE(site.run_until([&] {
        return site.nodes[0]->complete.contains(manifest.sha256) &&
               site.nodes[1]->complete.contains(manifest.sha256);
    }));
    CHECK_FALSE(site.run_until(
        [&] { return Site::holding(stranger, manifest.sha256).lan_bytes > 0; }, seconds(5)));
    CHECK(Site::holding(stranger, manifest.sha256).pieces_have == 0);
    // The same node with the site's certificate is served: the refusal was the certificate's.
    site.stop(stranger);
    stranger.identity = site.ca.issue("server-3");
    site.start(stranger);
    stranger.swarm->want(manifest, "test");
    CHECK(site.run_until([&] { return site.all_complete(manifest.sha256); }));
}

TEST_CASE("swarm: a member struck off the roster gets nothing, its certificate notwithstanding") {
    TempFolder folder;
    Origin origin(folder.path);
    Site site(2);
    const auto manifest = site.publish(origin, noise(1U << 20, 6));
    Node& revoked = *site.nodes[1];
    Node& other = *site.nodes[0];
    other.swarm->want(manifest, "test");
    REQUIRE(site.run_until([&] { return other.complete.contains(manifest.sha256); }));
    other.swarm->set_peers({});
    revoked.swarm->set_repositories({});
    revoked.swarm->want(manifest, "test");
    CHECK_FALSE(site.run_until(
        [&] { return Site::holding(revoked, manifest.sha256).lan_bytes > 0; }, seconds(4)));
}

TEST_CASE("swarm: a restart pulls nothing of what is complete") {
    TempFolder folder;
    Origin origin(folder.path);
    Site site(2);
    const auto manifest = site.publish(origin, noise(3U << 20, 7));
    site.want_everywhere(manifest);
    REQUIRE(site.run_until([&] { return site.all_complete(manifest.sha256); }));
    const auto requests = origin.requests();
    const auto before = site.wan_bytes(manifest.sha256);
    for (auto& node : site.nodes) site.stop(*node);
    for (auto& node : site.nodes) site.start(*node);
    site.want_everywhere(manifest);
    REQUIRE(site.run_until([&] { return site.all_complete(manifest.sha256); }));
    CHECK(origin.requests() == requests);
    CHECK(site.wan_bytes(manifest.sha256) == before);  // the counters survived
    for (auto& node : site.nodes) CHECK(Site::holding(*node, manifest.sha256).complete);
}

TEST_CASE("swarm: a site that was cut off in the middle goes on from its partial files") {
    TempFolder folder;
    Origin origin(folder.path, 4U << 20);
    Site site(2);
    const auto bytes = noise(8U << 20, 8);
    const auto manifest = site.publish(origin, bytes);
    site.want_everywhere(manifest);
    REQUIRE(site.run_until([&] {
        return Site::holding(*site.nodes[0], manifest.sha256).pieces_have >=
               manifest.piece_count() / 2;
    }));
    for (auto& node : site.nodes) site.stop(*node);
    for (auto& node : site.nodes) site.start(*node);
    site.want_everywhere(manifest);
    REQUIRE(site.run_until([&] { return site.all_complete(manifest.sha256); }));
    std::cout << "swarm: all killed half-way: counted "
              << double(site.wan_bytes(manifest.sha256)) / double(bytes.size()) << " x size\n";
    CHECK(double(site.wan_bytes(manifest.sha256)) <= 1.1 * double(bytes.size()));
}

TEST_CASE("swarm: an origin that goes away in the middle is taken up again where it broke") {
    TempFolder folder;
    Origin origin(folder.path, 4U << 20);
    Site site(1);
    const auto bytes = noise(8U << 20, 9);
    const auto manifest = site.publish(origin, bytes);
    Node& node = *site.nodes[0];
    site.want_everywhere(manifest);
    REQUIRE(site.run_until([&] {
        return Site::holding(node, manifest.sha256).pieces_have >= manifest.piece_count() / 2;
    }));
    origin.stop();
    REQUIRE(site.run_until([&] { return !Site::holding(node, manifest.sha256).error.empty(); }));
    origin.start();
    REQUIRE(site.run_until([&] { return site.all_complete(manifest.sha256); }));
    const auto holding = Site::holding(node, manifest.sha256);
    CHECK(holding.wan_bytes == bytes.size());
    CHECK(holding.error.empty());
    CHECK(node.errors.empty());
}

TEST_CASE("swarm: a repository that has nothing is an error with its name, and tried again") {
    TempFolder folder;
    Origin origin(folder.path);
    Site site(1);
    const auto bytes = noise(300000, 10);
    const auto manifest = site.publish(origin, bytes);
    std::filesystem::rename(origin.root() + "/artifact", origin.root() + "/away");
    Node& node = *site.nodes[0];
    site.want_everywhere(manifest);
    REQUIRE(site.run_until([&] { return !node.errors.empty(); }));
    CAPTURE(node.errors[0].message);
    CHECK(node.errors[0].code == Errc::not_found);
    CHECK(node.errors[0].message.find("smsgateway@3.2.1") != std::string::npos);
    CHECK(node.errors[0].message.find("origin-1") != std::string::npos);
    CHECK(node.swarm->claims().empty());
    std::filesystem::rename(origin.root() + "/away", origin.root() + "/artifact");
    CHECK(site.run_until([&] { return site.all_complete(manifest.sha256); }));
}

TEST_CASE("swarm: a node that may not use the origin leaves it to another") {
    TempFolder folder;
    Origin origin(folder.path);
    Site site(2);
    const auto manifest = site.publish(origin, noise(300000, 11));
    site.nodes[0]->swarm->set_repositories({});
    site.nodes[1]->swarm->pause_wan(0, [](const auto& kept) { CHECK(kept); });
    site.want_everywhere(manifest);
    CHECK_FALSE(
        site.run_until([&] { return site.fetcher(manifest.sha256) != nullptr; }, seconds(5)));
    site.nodes[1]->swarm->resume_wan([](const auto& kept) { CHECK(kept); });
    REQUIRE(site.run_until([&] { return site.all_complete(manifest.sha256); }));
    CHECK(Site::holding(*site.nodes[0], manifest.sha256).wan_bytes == 0);
}

TEST_CASE("swarm: a port in use is one clear line") {
    boost::asio::io_context loop;
    Site site(1);
    Node& node = *site.nodes[0];
    SwarmSettings settings;
    settings.server_id = "other";
    settings.listen = node.address + ":" + std::to_string(node.swarm->port());
    settings.state_dir = node.folder + "/other";
    settings.certificate_pem = node.identity.certificate_pem;
    settings.private_key_pem = node.identity.key_pem;
    settings.ca_pem = node.ca_pem;
    const auto second = Swarm::start(loop, settings, *node.cache, {});
    REQUIRE_FALSE(second);
    CHECK(second.error().code == Errc::conflict);
    CHECK(second.error().message.find(settings.listen) != std::string::npos);
}

// Goal: an agent without artifacts pays nothing for libtorrent, and still holds its port.
TEST_CASE("swarm: libtorrent starts with the first artifact, on the port held since the start") {
    Site site(1);
    Node& node = *site.nodes[0];
    const auto threads = [] {
        const std::filesystem::directory_iterator tasks("/proc/self/task");
        return std::distance(begin(tasks), end(tasks));
    };
    const auto before = threads();
    const auto port = node.swarm->port();
    CHECK(port != 0);
    const TempFolder folder;
    Origin origin(folder.path);
    site.set_repository(origin.url());
    const auto manifest = site.publish(origin, noise(300'000, 5));
    site.want_everywhere(manifest);
    REQUIRE(site.run_until([&] { return site.all_complete(manifest.sha256); }));
    CHECK(threads() > before);
    CHECK(node.swarm->port() == port);
}
