#include <catch2/catch.hpp>
#include <set>

#include "versions.hpp"

using namespace clarity;

TEST_CASE("swarm: a pull that is held to very little is slow, not stalled: nobody takes it over") {
    const bool chunked = GENERATE(false, true);
    CAPTURE(chunked);
    TempFolder folder;
    Origin origin(folder.path);
    Site site(3);
    // One part of an answer is 16 KiB: at once, it would be four seconds without news.
    for (auto& node : site.nodes) {
        site.stop(*node);
        site.start(*node, [](SwarmSettings& settings) {
            settings.wan_rate_limit_bytes_s = 4096;
            settings.fetch_stall_ms = 2500;
        });
    }
    const auto it = publish(site, origin, noise(28U << 10, 7), "1", chunked);
    want(site, it.manifest);
    std::set<std::string> fetchers;
    const auto began = std::chrono::steady_clock::now();
    REQUIRE(site.run_until([&] {
        const auto* fetcher = site.fetcher(it.manifest.sha256);
        if (fetcher != nullptr) fetchers.insert(fetcher->id);
        return site.all_complete(it.manifest.sha256);
    }));
    CHECK(fetchers.size() == 1);
    CHECK(std::chrono::steady_clock::now() - began > std::chrono::seconds(5));
    for (const auto& node : site.nodes) {
        CHECK(node->swarm->fetch_totals().passes == 0);
        CHECK(node->errors.empty());
    }
    CHECK(site.wan_bytes(it.manifest.sha256) <= it.bytes.size() + 1024);
}
