// What odd, broken and lying servers do to a whole fetch, and what it makes of them. How a single
// read takes it is in tests/storage/repositories/odd_server_test.cpp.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "site.hpp"
#include "tests/storage/repositories/odd_server.hpp"

using namespace clarity;
using clarity::test::OddConnection;
using clarity::test::OddServer;
using std::chrono::seconds;

namespace {

constexpr std::size_t piece = 128U << 10;
const std::string file = noise(16 * piece, 77);

std::string head(const std::string& status, std::size_t length, const std::string& more = "") {
    return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(length) + "\r\n" + more +
           "\r\n";
}

/// As a good server would, but of `bytes`, and no more than `part` of what is asked for.
void answer(const OddConnection& connection, const std::string& bytes,
            std::size_t part = std::string::npos, const std::string& more = "") {
    const auto first = connection.range_first();
    const auto from = std::min(static_cast<std::size_t>(std::max(first, 0L)), bytes.size());
    auto to = bytes.size();
    const auto range = connection.request.find("Range: bytes=");
    if (range != std::string::npos) {
        const auto dash = connection.request.find('-', range);
        if (std::isdigit(static_cast<unsigned char>(connection.request[dash + 1])) != 0) {
            to = std::min(to, std::stoul(connection.request.substr(dash + 1)) + 1);
        }
    }
    connection.send(first < 0 ? head("200 OK", bytes.size(), more)
                              : head("206 Partial Content", to - from,
                                     "Content-Range: bytes " + std::to_string(from) + "-" +
                                         std::to_string(to - 1) + "/" +
                                         std::to_string(bytes.size()) + "\r\n" + more));
    connection.send(std::string_view(bytes).substr(from, std::min(part, to - from)));
}

/// One node, and `file` published as "artifact" in these repositories, in their order.
struct Scene {
    explicit Scene(const std::vector<std::string>& urls, std::size_t nodes = 1)
        : origin(folder.path), site(nodes) {
        manifest = site.publish(origin, file);
        manifest.sources.clear();
        site.repositories.repositories.clear();
        for (std::size_t i = 0; i < urls.size(); ++i) {
            const auto id = "repo-" + std::to_string(i + 1);
            manifest.sources.push_back({id, "artifact"});
            site.repositories.repositories.push_back({id, "http", urls[i], {}});
        }
        for (auto& node : site.nodes) node->swarm->set_repositories(site.repositories);
    }
    Node& node() { return *site.nodes[0]; }
    void want() { site.want_everywhere(manifest); }
    bool completes(int within_s = 40) {
        return site.run_until([&] { return site.all_complete(manifest.sha256); },
                              seconds(within_s));
    }
    bool fails() {
        return site.run_until([&] { return !node().errors.empty(); }, seconds(40));
    }
    Holding holding() { return Site::holding(node(), manifest.sha256); }
    WanParts parts() { return holding().wan_parts.value_or(WanParts{}); }
    std::string error() {
        REQUIRE_FALSE(node().errors.empty());
        return node().errors.front().message;
    }
    void check_whole() { CHECK(contents(node().complete[manifest.sha256]) == file); }
    /// Every clear error names these.
    void check_names(const std::string& words) {
        CAPTURE(error());
        CHECK(error().find("smsgateway@3.2.1") != std::string::npos);
        CHECK(error().find("repo-1") != std::string::npos);
        CHECK(error().find(words) != std::string::npos);
    }

    TempFolder folder;
    Origin origin;  ///< where publish() puts the file; the odd servers have their own
    Site site;
    Manifest manifest;
};

}  // namespace

TEST_CASE("faulty origin: one that closes early again and again costs no byte twice") {
    const OddServer server([](const auto& c) { answer(c, file, 300'000); });
    Scene scene({server.url()});
    scene.want();
    REQUIRE(scene.completes());
    scene.check_whole();
    CHECK(scene.holding().wan_bytes == file.size());
    CHECK(scene.parts().resumed > 0);
    CHECK(scene.parts().duplicate == 0);
    CHECK(scene.parts().repaired == 0);
    CHECK(scene.node().errors.empty());
}

TEST_CASE("faulty origin: one that ignores ranges is read through once, nothing written twice") {
    // Pieces 3 and 9 are there already, as after a pull that was cut short.
    std::atomic<int> whole{0};
    const OddServer server([&](const auto& c) {
        ++whole;
        c.send(head("200 OK", file.size()) + file);
    });
    Scene scene({server.url()});
    auto& cache = *scene.node().cache;
    const auto path = cache.begin(scene.manifest, 1).value();
    for (const std::uint32_t here : {0U, 3U, 9U}) {
        std::fstream out(path, std::ios::binary | std::ios::in | std::ios::out);
        out.seekp(static_cast<std::streamoff>(here * piece));
        out.write(file.data() + here * piece, piece);
        out.close();
        REQUIRE(cache.mark_pieces(scene.manifest.sha256, std::vector{here}));
    }
    scene.want();
    REQUIRE(scene.completes());
    scene.check_whole();
    CHECK(whole <= 2);  // the one that was found out, and the one that was read
    CHECK(scene.parts().resumed == 13 * piece);
    // What was here is skipped, not stored again; the first answer ends with its head.
    CHECK(scene.parts().duplicate >= 3 * piece);
    CHECK(scene.holding().wan_bytes <= file.size() + 256 * 1024);
}

TEST_CASE("faulty origin: where one ignores ranges and another does not, the other goes on") {
    std::atomic<int> asked{0};
    const OddServer ignores([&](const auto& c) {
        c.send(head("200 OK", file.size()));
        c.send(std::string_view(file).substr(0, asked++ == 0 ? 5 * piece : file.size()));
    });
    const OddServer good([](const auto& c) { answer(c, file); });
    Scene scene({ignores.url(), good.url()});
    scene.want();
    REQUIRE(scene.completes());
    scene.check_whole();
    CHECK(scene.holding().wan_bytes <= file.size() + piece);
}

TEST_CASE("faulty origin: a file replaced in the middle is told at once, by name") {
    const auto other = noise(file.size(), 78);
    SECTION("another ETag") {
        const OddServer server([&](const auto& c) {
            if (c.number == 0) return answer(c, file, 5 * piece, "ETag: \"v1\"\r\n");
            answer(c, other, std::string::npos, "ETag: \"v2\"\r\n");
        });
        Scene scene({server.url()});
        scene.want();
        REQUIRE(scene.fails());
        scene.check_names("replaced while it was being fetched");
        CHECK(scene.holding().wan_bytes == 5 * piece);
    }
    SECTION("another length") {
        const OddServer server([&](const auto& c) {
            if (c.number == 0) return answer(c, file, 5 * piece);
            answer(c, other + "more");
        });
        Scene scene({server.url()});
        scene.want();
        REQUIRE(scene.fails());
        scene.check_names("where the manifest says");
        CHECK(scene.holding().wan_bytes == 5 * piece);
    }
    SECTION("the same length and no mark of a version: the first pieces tell") {
        const OddServer server([&](const auto& c) {
            if (c.number == 0) return answer(c, file, 5 * piece);
            answer(c, other);
        });
        Scene scene({server.url()});
        scene.want();
        REQUIRE(scene.fails());
        scene.check_names("not what the publisher signed");
        // Three wrong pieces are enough, whatever is on its way by then.
        CHECK(scene.holding().wan_bytes <= 10 * piece);
        CHECK(scene.parts().repaired == 3 * piece);
        CHECK(scene.holding().pieces_have == 5);
    }
}

TEST_CASE("faulty origin: a page instead of the file is found out before a piece is stored") {
    const std::string page(5000, 'x');
    const std::string type = "Content-Type: text/html; charset=utf-8\r\n";
    const auto check_page = [](const OddServer& server, const std::string& words) {
        Scene scene({server.url()});
        scene.want();
        REQUIRE(scene.fails());
        scene.check_names(words);
        CHECK(scene.holding().wan_bytes <= 5000);
        CHECK(scene.holding().pieces_have == 0);
    };
    SECTION("with its length") {
        const OddServer server([&](const auto& c) { c.send(head("200 OK", 5000, type) + page); });
        check_page(server, "it sent a web page");
    }
    SECTION("without a length") {
        const OddServer server([&](const auto& c) {
            c.send("HTTP/1.1 200 OK\r\nConnection: close\r\n" + type + "\r\n" + page);
        });
        check_page(server, "it sent a web page");
    }
    SECTION("after a redirect to a login") {
        const OddServer server([&](const auto& c) {
            if (c.request.starts_with("GET /login")) {
                return c.send("HTTP/1.1 200 OK\r\nConnection: close\r\n" + type + "\r\n" + page);
            }
            c.send(head("302 Found", 0, "Location: /login?next=artifact\r\n"));
        });
        check_page(server, "it sent a web page");
    }
}

TEST_CASE("faulty origin: a page as long as the file is found out by its first pieces") {
    const std::string page(file.size(), 'x');
    const OddServer server([&](const auto& c) { answer(c, page); });
    Scene scene({server.url()});
    scene.want();
    REQUIRE(scene.fails());
    scene.check_names("not what the publisher signed");
    CHECK(scene.holding().pieces_have == 0);
    CHECK(scene.holding().wan_bytes <= 5 * piece);
}

TEST_CASE("faulty origin: lies about its length are no bytes of ours") {
    SECTION("says less than it is") {
        const OddServer server([](const auto& c) { c.send(head("200 OK", 1000) + file); });
        Scene scene({server.url()});
        scene.want();
        REQUIRE(scene.fails());
        scene.check_names("it has 1000 bytes where the manifest says");
        CHECK(scene.holding().wan_bytes == 0);
    }
    SECTION("sends more than it says nothing of") {
        const OddServer server([](const auto& c) {
            c.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + file + std::string(99, 'x'));
        });
        Scene scene({server.url()});
        scene.want();
        REQUIRE(scene.fails());
        scene.check_names("sends more than the");
        CHECK(scene.site.run_until([&] { return scene.holding().pieces_have >= 12; },
                                   seconds(5)));  // what came right stays
    }
}

TEST_CASE("faulty origin: one that stalls gives way to another one, in time") {
    const OddServer stalls([](const auto& c) {
        answer(c, file, 5 * piece + 1000);
        c.stall();
    });
    const OddServer good([](const auto& c) { answer(c, file); });
    Scene scene({stalls.url(), good.url()});
    const auto begin = std::chrono::steady_clock::now();
    scene.want();
    REQUIRE(scene.completes());
    scene.check_whole();
    CHECK(std::chrono::steady_clock::now() - begin < seconds(12));
    // The bytes of the piece that was cut off are pulled again: a piece comes from one source.
    CHECK(scene.holding().wan_bytes == file.size() + 1000);
    CHECK(scene.parts().duplicate == 1000);
    CHECK(scene.node().errors.empty());
}

TEST_CASE("faulty origin: the only one, when it stalls, is asked again where it stopped") {
    const OddServer server([](const auto& c) {
        if (c.number > 0) return answer(c, file);
        answer(c, file, 5 * piece + 1000);
        c.stall();
    });
    Scene scene({server.url()});
    scene.want();
    REQUIRE(scene.completes());
    CHECK(scene.holding().wan_bytes == file.size());
    CHECK(scene.holding().error.empty());
    CHECK(server.requests() == 2);
}

TEST_CASE("faulty origin: who cannot reach it passes it on at once, and the next one pulls") {
    const OddServer server([](const auto& c) { answer(c, file); });
    int gone = 0;
    ::close(clarity::test::bind_loopback(gone));
    Scene scene({server.url()}, 3);
    // For two of the three it is at an address where nobody listens.
    auto unreachable = scene.site.repositories;
    unreachable.repositories[0].base_url = "http://127.0.0.1:" + std::to_string(gone);
    scene.site.nodes[0]->swarm->set_repositories(unreachable);
    scene.site.nodes[1]->swarm->set_repositories(unreachable);
    const auto begin = std::chrono::steady_clock::now();
    scene.want();
    REQUIRE(scene.completes());
    // The ranks alone would have cost 2 s each, and stalls 10 s.
    CHECK(std::chrono::steady_clock::now() - begin < seconds(5));
    CHECK(scene.site.wan_bytes(scene.manifest.sha256) == file.size());
    CHECK(Site::holding(*scene.site.nodes[2], scene.manifest.sha256).wan_bytes == file.size());
}

TEST_CASE("wan: over its budget a node passes on, and says until when") {
    const OddServer server([](const auto& c) { answer(c, file); });
    Scene scene({server.url()}, 2);
    auto& poor = scene.node();
    scene.site.stop(poor);
    scene.site.start(poor,
                     [](SwarmSettings& settings) { settings.wan.budget_bytes_day = 5 * piece; });
    // Alone at first: the other one may not either.
    auto& other = *scene.site.nodes[1];
    other.swarm->pause_wan(0, [](const auto& kept) { CHECK(kept); });
    scene.want();
    const auto& sha256 = scene.manifest.sha256;
    const auto pass_of = [&](const Node& node) {
        const auto passes = node.swarm->passes();
        return passes.empty() ? FetchPass{} : passes.front();
    };
    REQUIRE(scene.site.run_until([&] { return poor.swarm->wan()->state == "spent"; }));
    REQUIRE(scene.site.run_until([&] { return pass_of(poor).until_unix_ms > 0; }));
    CHECK(pass_of(poor).reason.find("budget") != std::string::npos);
    CHECK(pass_of(other).reason.find("paused") != std::string::npos);
    CHECK_FALSE(pass_of(poor).willing);
    CHECK(poor.swarm->wan()->spent_bytes >= 5 * piece);
    CHECK(poor.swarm->wan()->spent_bytes <= 6 * piece);
    // The peer has over the LAN what was pulled, though nobody may pull.
    REQUIRE(scene.site.run_until([&] { return Site::holding(other, sha256).pieces_have >= 5; }));
    // It is counted across a restart.
    scene.site.stop(poor);
    scene.site.start(poor,
                     [](SwarmSettings& settings) { settings.wan.budget_bytes_day = 5 * piece; });
    CHECK(poor.swarm->wan()->state == "spent");
    poor.swarm->want(scene.manifest, "test");
    other.swarm->resume_wan([](const auto& kept) { CHECK(kept); });
    REQUIRE(scene.completes());
    CHECK(scene.site.wan_bytes(sha256) <= file.size() + piece);
    CHECK(scene.parts().duplicate <= piece);
}

TEST_CASE("wan: a pause survives a restart, and so does its end") {
    const OddServer server([](const auto& c) { answer(c, file); });
    Scene scene({server.url()});
    bool kept = false;
    scene.node().swarm->pause_wan(0, [&](const auto& result) { kept = result.has_value(); });
    REQUIRE(scene.site.run_until([&] { return kept; }));
    scene.site.stop(scene.node());
    scene.site.start(scene.node());
    CHECK(scene.node().swarm->wan()->state == "paused");
    scene.want();
    CHECK_FALSE(scene.site.run_until([&] { return server.requests() > 0; }, seconds(4)));
    const auto until = std::time(nullptr) + 3;
    scene.node().swarm->pause_wan(until, [](const auto&) {});
    CHECK(scene.node().swarm->wan()->until_unix_ms == until * 1000);
    REQUIRE(scene.completes());
    CHECK(std::time(nullptr) >= until);
}

TEST_CASE(
    "wan: both sides of a partition fetch; when they meet one stops, and what it pulled shows") {
    TempFolder folder;
    Origin origin(folder.path, 2U << 20);
    Site site(2);
    const auto bytes = noise(16U << 20, 79);
    const auto manifest = site.publish(origin, bytes);
    site.part(true);
    site.want_everywhere(manifest);
    const auto pieces = [&](std::size_t node) {
        return Site::holding(*site.nodes[node], manifest.sha256).pieces_have;
    };
    REQUIRE(site.run_until([&] { return pieces(0) >= 32 && pieces(1) >= 32; }));
    CHECK(site.nodes[0]->swarm->claims().size() == 1);
    CHECK(site.nodes[1]->swarm->claims().size() == 1);
    site.part(false);
    REQUIRE(site.run_until([&] {
        return site.nodes[0]->swarm->claims().size() + site.nodes[1]->swarm->claims().size() == 1;
    }));
    REQUIRE(site.run_until([&] { return site.all_complete(manifest.sha256); }));
    const auto pulled = site.wan_bytes(manifest.sha256);
    CHECK(pulled < bytes.size() * 17 / 10);
    std::uint64_t duplicate = 0;
    for (const auto& node : site.nodes) {
        const auto parts = Site::holding(*node, manifest.sha256).wan_parts;
        duplicate += parts.value_or(WanParts{}).duplicate;
    }
    // All but a few pieces of what is over the size: as far as the last claim told.
    CHECK(duplicate + 12 * piece >= pulled - bytes.size());
    CHECK(duplicate <= pulled - bytes.size() + 12 * piece);
}
