#include "node/site_copies.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "protocol/artifact_marks.hpp"

using namespace clarity;

namespace {

Digest digest(unsigned char number) {
    Digest out;
    out.data.fill(number);
    return out;
}

CachedArtifact whole(const Digest& sha256) {
    CachedArtifact out;
    out.sha256 = sha256;
    out.complete = true;
    return out;
}

/// A site as each of its servers sees it: what its record says is all that the others know.
struct Site {
    Roster roster;
    std::map<std::string, Record> records;
    std::map<std::string, mesh::State> states;

    explicit Site(int servers) {
        for (int i = 1; i <= servers; ++i) {
            const auto id = "s" + std::to_string(i);
            roster.members.push_back({id, id, {}, "", ""});
            records[id];
            states[id] = mesh::State::alive;
        }
    }
    void hold(const std::string& id, const Digest& sha256) {
        records[id].kept.push_back(artifact_mark(sha256));
    }
    void drop(const std::string& id, const Digest& sha256) {
        std::erase(records[id].kept, artifact_mark(sha256));
    }
    [[nodiscard]] bool holds(const std::string& id, const Digest& sha256) const {
        const auto& kept = records.at(id).kept;
        return std::find(kept.begin(), kept.end(), artifact_mark(sha256)) != kept.end();
    }
    [[nodiscard]] SiteCopies seen_by(const std::string& id,
                                     const std::set<Digest>& planned = {}) const {
        SiteSnapshot view;
        view.roster = &roster;
        view.self = id;
        view.records = &records;
        for (const auto& [server, state] : states)
            view.members.push_back({server, state, 0, "", 1});
        return SiteCopies::of(view, planned);
    }
    [[nodiscard]] std::size_t copies(const Digest& sha256) const {
        return static_cast<std::size_t>(
            std::count_if(records.begin(), records.end(),
                          [&](const auto& row) { return holds(row.first, sha256); }));
    }
};

}  // namespace

TEST_CASE("copies: all holders that drop at the same moment leave exactly the replicas") {
    const auto servers = GENERATE(3, 4, 7, 16);
    const auto replicas = GENERATE(1U, 2U, 3U);
    Site site(servers);
    for (unsigned char number = 1; number <= 50; ++number) {
        const auto artifact = digest(number);
        for (const auto& [id, record] : site.records) site.hold(id, artifact);
        std::vector<std::string> dropping;
        for (const auto& [id, record] : site.records) {
            const auto keep = site.seen_by(id, {artifact}).judge(whole(artifact), replicas);
            if (keep == Keep::no) dropping.push_back(id);
            else CHECK(keep == Keep::yes);
        }
        for (const auto& id : dropping) site.drop(id, artifact);
        CHECK(site.copies(artifact) == replicas);
    }
}

TEST_CASE("copies: what nobody needs is kept while there is room only") {
    Site site(2);
    const auto artifact = digest(1);
    site.hold("s2", artifact);
    CHECK(site.seen_by("s1").judge(whole(artifact), 2) == Keep::if_room);
    CHECK(site.seen_by("s1", {artifact}).judge(whole(artifact), 2) == Keep::yes);
    site.records["s2"].pinned.push_back(artifact_mark(artifact));
    CHECK(site.seen_by("s1").judge(whole(artifact), 2) == Keep::yes);
}

TEST_CASE("copies: a pin elsewhere keeps the last copy, also while the server that pins is away") {
    Site site(3);
    const auto artifact = digest(1);
    site.records["s3"].pinned.push_back(artifact_mark(artifact));
    site.states["s3"] = mesh::State::dead;
    CHECK(site.seen_by("s1").judge(whole(artifact), 1) == Keep::yes);
}

TEST_CASE("copies: only those of living servers count, in holdings as beside them") {
    Site site(4);
    const auto artifact = digest(1);
    for (const auto* id : {"s1", "s2", "s3"}) site.hold(id, artifact);
    Holding held;
    held.sha256 = artifact;
    held.complete = true;
    site.records["s4"].holdings.push_back(held);
    CHECK(site.seen_by("s1").holders(artifact) == std::vector<std::string>{"s2", "s3", "s4"});
    site.states["s2"] = mesh::State::dead;
    site.states["s3"] = mesh::State::suspect;
    CHECK(site.seen_by("s1").holders(artifact) == std::vector<std::string>{"s4"});
    CHECK(site.seen_by("s1", {artifact}).judge(whole(artifact), 2) == Keep::yes);
    site.records["s4"].holdings.front().complete = false;
    CHECK(site.seen_by("s1").holders(artifact).empty());
}

TEST_CASE("copies: part of an artifact that nobody here wants may always go") {
    const Site site(2);
    auto part = whole(digest(1));
    part.complete = false;
    CHECK(site.seen_by("s1", {digest(1)}).judge(part, 2) == Keep::no);
}

TEST_CASE("copies: marks are sorted, single, and no more than a record takes") {
    std::vector<Digest> many;
    for (unsigned i = 0; i < 300; ++i) {
        Digest each;
        each.data[0] = static_cast<std::uint8_t>(i % 256);
        each.data[1] = static_cast<std::uint8_t>(i / 256);
        many.push_back(each);
    }
    CHECK(artifact_marks(many).size() == artifact_marks_max);
    const auto two = artifact_marks({digest(9), digest(1), digest(9)});
    CHECK(two == std::vector<std::uint64_t>{0x0101010101010101U, 0x0909090909090909U});
}
