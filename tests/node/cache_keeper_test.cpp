#include "node/cache_keeper.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <ctime>

#include "node/cache_orders.hpp"
#include "protocol/artifact_marks.hpp"
#include "protocol/json.hpp"
#include "storage/files.hpp"
#include "storage/ingest.hpp"
#include "tests/storage/temp_dir.hpp"

using namespace clarity;
using clarity::test::noise;
using clarity::test::TempDir;

namespace {

constexpr std::size_t size = 100'000;

/// One node's cache with its keeper, alone at its site.
struct Node {
    TempDir dir;
    std::unique_ptr<KeyValueStore> store = std::move(KeyValueStore::open(dir / "kv").value());
    boost::asio::io_context loop;
    std::unique_ptr<ArtifactCache> cache;
    std::shared_ptr<CacheKeeper> keeper;
    std::shared_ptr<CacheScrub> scrub;
    std::map<Digest, Manifest> manifests;  ///< held
    std::vector<std::string> to_repair;
    std::set<Digest> planned;
    std::vector<std::string> dropped;
    Roster roster;

    explicit Node(std::uint64_t limit) {
        CacheSettings settings;
        settings.root = dir / "cache";
        settings.size_max_bytes = limit;
        cache = std::move(ArtifactCache::open(settings, *store).value());
        CacheKeeperHooks hooks;
        hooks.copies = [this] {
            SiteSnapshot alone;
            alone.roster = &roster;
            alone.self = "s1";
            return SiteCopies::of(alone, planned);
        };
        hooks.dropped = [this](const CachedArtifact& each) { dropped.push_back(each.artifact); };
        hooks.changed = [] {};
        hooks.looked_at = [] {};
        keeper = std::make_shared<CacheKeeper>(loop, *cache, CacheKeeperSettings{}, hooks);
        CacheScrubHooks checks;
        checks.manifest = [this](const Digest& sha256) {
            const auto at = manifests.find(sha256);
            return at == manifests.end() ? std::nullopt : std::optional(at->second);
        };
        checks.repair = [this](const Manifest& each) { to_repair.push_back(each.artifact); };
        checks.dropped = [this](const Digest&) { dropped.emplace_back("damaged"); };
        checks.changed = [] {};
        scrub = std::make_shared<CacheScrub>(loop, *cache, *store, CacheScrubSettings{}, checks);
    }
    ~Node() {
        keeper->end();
        scrub->end();
    }

    Digest put(const std::string& name, unsigned seed) {
        const auto bytes = noise(size, seed);
        auto ingest = Ingest::start(size, {.piece_size_bytes = 16 << 10});
        REQUIRE((*ingest)->write(bytes));
        auto manifest = (*ingest)->finish().value();
        manifest.artifact = name;
        manifest.version = "1";
        const auto path = cache->begin(manifest, seed).value();
        REQUIRE(File::open_write(path)->write_at(bytes, 0));
        REQUIRE(cache->complete(manifest, seed));
        manifests[manifest.sha256] = manifest;
        return manifest.sha256;
    }
    /// A byte that went wrong on the disk.
    void flip(const Digest& sha256, std::uint64_t at) const {
        const auto path = cache->find(sha256).value();
        REQUIRE(::chmod(path.c_str(), 0640) == 0);
        auto file = File::open_write(path).value();
        char byte = 0;
        REQUIRE(file.read_at(&byte, 1, at));
        byte = static_cast<char>(byte ^ 1);
        REQUIRE(file.write_at({&byte, 1}, at));
    }
    Json order(std::string_view action, const CacheOrder& what) {
        CacheOrders::Hooks hooks;
        hooks.changed = [] {};
        hooks.end_prefetch = [](const Digest&) -> Result<void> { return {}; };
        CacheOrders orders(*cache, *keeper, *scrub, hooks);
        Command command;
        command.action = action;
        command.argument = what.encode();
        std::optional<Result<std::string>> answer;
        orders.act(command, [&](Result<std::string> got) { answer = std::move(got); });
        const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (!answer && std::chrono::steady_clock::now() < until) {
            loop.restart();
            loop.run_for(std::chrono::milliseconds(20));
        }
        REQUIRE(answer);
        REQUIRE(*answer);
        return parse_json(**answer).value();
    }
};

}  // namespace

TEST_CASE("keeper: gc spares what is pinned and what the plan needs, and says what goes") {
    Node node(5 * size);
    const auto planned = node.put("planned", 1);
    const auto pinned = node.put("pinned", 2);
    for (unsigned i = 3; i <= 6; ++i) node.put("old-" + std::to_string(i), i);
    node.planned = {planned};
    const auto said = node.order(cache_order::pin, {"pinned", "1", pinned, false});
    CHECK(said.at("held") == true);
    CHECK(said.at("pins") == Json::array({"operator"}));

    const auto looked = node.order(cache_order::gc, {"", "", {}, true});
    CHECK(looked.at("dropped_count") == 2);  // to below the high mark: nobody else has them
    CHECK(looked.at("size_bytes") == 6 * size);
    CHECK(looked.at("pinned_bytes") == size);
    CHECK(node.dropped.empty());

    const auto done = node.order(cache_order::gc, {});
    CHECK(done.at("freed_bytes") == 2 * size);
    CHECK(node.dropped == std::vector<std::string>{"old-3", "old-4"});
    CHECK(node.cache->find(planned));
    CHECK(node.cache->find(pinned));
    CHECK(node.keeper->totals().evicted == 2);

    node.order(cache_order::unpin, {"pinned", "1", pinned, false});
    CHECK(node.cache->pinned().empty());
}

TEST_CASE("keeper: room for a download is made before it begins") {
    Node node(5 * size);
    for (unsigned i = 1; i <= 4; ++i) node.put("old-" + std::to_string(i), i);
    bool called = false;
    node.keeper->make_room(2 * size, [&] { called = true; });
    while (!called) {
        node.loop.restart();
        node.loop.run_for(std::chrono::milliseconds(20));
    }
    CHECK(node.dropped == std::vector<std::string>{"old-1", "old-2"});
}

TEST_CASE("keeper: the record has marks of what is kept and pinned beside the holdings") {
    Node node(0);
    const auto a = node.put("a", 1);
    const auto b = node.put("b", 2);
    REQUIRE(node.cache->pin(a, "deploy"));
    Record record;
    Holding told;
    told.sha256 = b;
    record.holdings.push_back(told);
    node.keeper->describe(record);
    CHECK(record.kept == std::vector<std::uint64_t>{artifact_mark(a)});
    CHECK(record.pinned == std::vector<std::uint64_t>{artifact_mark(a)});
}

TEST_CASE("scrub: a flipped byte is found, its piece alone is put aside, nobody gets the file") {
    Node node(0);
    const auto good = node.put("good", 1);
    const auto bad = node.put("bad", 2);
    node.flip(bad, 40'000);
    const auto said = node.order(cache_order::verify, {});
    CHECK(said.at("verified") == 2);
    REQUIRE(said.at("damaged").size() == 1);
    CHECK(said.at("damaged")[0].at("artifact") == "bad");
    CHECK(said.at("damaged")[0].at("bad_pieces") == 1);
    CHECK(said.at("damaged")[0].at("pieces") == 7);
    CHECK(node.cache->find(good));
    CHECK_FALSE(node.cache->find(bad));
    CHECK(node.to_repair == std::vector<std::string>{"bad"});
    REQUIRE(node.scrub->notices().size() == 1);
    CHECK_THAT(node.scrub->notices()[0], Catch::Contains("bad@1") && Catch::Contains("1 of 7"));

    const auto& manifest = node.manifests.at(bad);
    const auto pieces = node.cache->pieces(bad);
    CHECK(std::count(pieces.begin(), pieces.end(), true) == 6);
    const auto path = node.cache->begin(manifest, 9).value();
    REQUIRE(File::open_write(path)->write_at(noise(size, 2), 0));
    REQUIRE(node.cache->complete(manifest, 9));
    node.scrub->completed(bad);
    CHECK(node.scrub->notices().empty());
    CHECK(node.scrub->totals().repaired == 1);
}

TEST_CASE("scrub: what was damaged and then dropped for room is told no more") {
    Node node(0);
    const auto bad = node.put("bad", 2);
    node.flip(bad, 0);
    node.order(cache_order::verify, {});
    REQUIRE(node.scrub->notices().size() == 1);
    REQUIRE(node.cache->remove(bad));
    node.scrub->forget(bad);
    CHECK(node.scrub->notices().empty());
    CHECK(node.scrub->totals().repaired == 0);
}

TEST_CASE("scrub: a damaged artifact without a manifest is dropped, pinned or not") {
    Node node(0);
    const auto bad = node.put("bad", 2);
    REQUIRE(node.cache->pin(bad, "operator"));
    node.manifests.clear();
    node.flip(bad, 0);
    const auto said = node.order(cache_order::verify, {"bad", "1", bad});
    CHECK(said.at("damaged")[0].at("dropped") == true);
    CHECK_FALSE(node.cache->describe(bad));
    CHECK(node.dropped == std::vector<std::string>{"damaged"});
    CHECK(node.cache->pinned().contains(bad));  // wanted all the same
}

TEST_CASE(
    "scrub: by itself it finds the damage too, and knows after a start when it is due again") {
    Node node(0);
    const auto bad = node.put("bad", 1);
    node.flip(bad, 99'999);
    CacheScrubHooks hooks;
    hooks.manifest = [&](const Digest& sha256) { return std::optional(node.manifests.at(sha256)); };
    hooks.repair = [&](const Manifest& each) { node.to_repair.push_back(each.artifact); };
    hooks.dropped = [](const Digest&) {};
    hooks.changed = [] {};
    CacheScrubSettings at_once;
    at_once.percent_a_day = 100;
    at_once.first_after_s = 0;
    const auto scrub =
        std::make_shared<CacheScrub>(node.loop, *node.cache, *node.store, at_once, hooks);
    scrub->start();
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (node.to_repair.empty() && std::chrono::steady_clock::now() < until) {
        node.loop.restart();
        node.loop.run_for(std::chrono::milliseconds(20));
    }
    scrub->end();
    CHECK(node.to_repair == std::vector<std::string>{"bad"});
    CHECK_FALSE(node.cache->find(bad));
    const auto next = node.store->get("agent/scrub_next").value();
    REQUIRE(next);
    CHECK(std::stoll(*next) > std::time(nullptr) + 3000);
}

TEST_CASE("scrub: the artifact that was not read for the longest time is next, after a start too") {
    Node node(0);
    const auto a = node.put("a", 1);
    const auto b = node.put("b", 2);
    CHECK(node.cache->next_to_verify() == a);
    CHECK(node.cache->verify(a, 5).value() == ArtifactCache::Verdict::good);
    CHECK(node.cache->next_to_verify() == b);
    const auto settings = node.cache->settings();
    node.keeper->end();
    node.scrub->end();
    auto again = ArtifactCache::open(settings, *node.store).value();
    CHECK(again->next_to_verify() == b);
}

TEST_CASE("scrub: a tenth of the cache a day is one of ten equal artifacts a day") {
    CHECK(scrub_pause_s(100, 1000, 10) == 86400);
    CHECK(scrub_pause_s(100, 1000, 100) == 8640);
    CHECK(scrub_pause_s(1, 1'000'000'000, 100) == 1);
    CHECK(scrub_pause_s(0, 0, 10) == 3600);
}
