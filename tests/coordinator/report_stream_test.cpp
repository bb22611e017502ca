#include "node/report_stream.hpp"

#include <random>

#include "coordinator/site_state.hpp"
#include "tests/coordinator/support.hpp"

using namespace clarity;
using namespace clarity::coordinator;

namespace {

/// Both ends of the control protocol without a network: a site of real signed records, the real
/// streams of its uplinks and the coordinator's real state, on virtual time.
struct World {
    explicit World(int size) {
        init_crypto();
        roster.site = "acme/dc-1";
        for (int i = 0; i < size; ++i) {
            const auto id = "server-" + std::to_string(i);
            keys.push_back(SigningKey::generate());
            roster.members.push_back({id, "host-" + id, keys.back().public_key(), "", ""});
            views.push_back({id, "alive", 300, "server-0", {}, {}});
            set_record(static_cast<std::size_t>(i), 1);
        }
    }
    void set_record(std::size_t i, std::uint64_t seq) {
        Record record;
        record.site = roster.site;
        record.server_id = roster.members[i].server_id;
        record.version = {1, seq};
        auto envelope = Envelope::make(payload_type::record, record.encode());
        envelope.sign(keys[i]);
        records[record.server_id] = std::make_shared<mesh::StoredRecord>(
            mesh::StoredRecord{record.version, envelope.encode()});
    }
    mesh::RecordPtr held(const std::string& id) const {
        const auto at = records.find(id);
        return at == records.end() ? nullptr : at->second;
    }
    /// One report and its answer; false when there was nothing to say. `lose_ack`: it arrives, the
    /// answer does not.
    bool exchange(ReportStream& stream, const std::string& from, bool lose_ack = false) {
        auto report = stream.next(now, views, [this](const std::string& id) { return held(id); });
        if (!report) return false;
        ++frames;
        const auto frame = control::encode(*report);
        bytes += frame.size();
        records_sent += static_cast<std::size_t>(
            std::count_if(report->changes.begin(), report->changes.end(),
                          [](const auto& each) { return !each.record.empty(); }));
        const auto arrived = control::decode(frame);
        REQUIRE(arrived);
        const auto outcome = state.report(now, roster, from, std::get<control::Report>(*arrived));
        if (lose_ack) return true;
        REQUIRE(stream.acknowledged(now, outcome.ack));
        agreed = outcome.agreed;
        return true;
    }
    /// All that is due now.
    void settle(ReportStream& stream, const std::string& from) {
        for (int i = 0; i < 400 && stream.due_ms() <= now; ++i) {
            if (!exchange(stream, from)) return;
            now += 1;
        }
    }
    /// What the coordinator would print equals what the site knows.
    void check() const {
        const auto seen = state.servers(now, roster);
        for (std::size_t i = 0; i < seen.size(); ++i) {
            const auto at = std::find_if(views.begin(), views.end(), [&](const auto& view) {
                return view.server_id == seen[i].member.server_id;
            });
            if (at == views.end()) continue;
            CAPTURE(at->server_id);
            CHECK(seen[i].state == at->state);
            const auto held_record = records.find(at->server_id);
            if (held_record == records.end()) continue;
            REQUIRE(seen[i].record);
            CHECK(seen[i].record->version == held_record->second->version);
        }
    }

    Roster roster;
    std::vector<SigningKey> keys;
    std::vector<control::View> views;
    std::map<std::string, mesh::RecordPtr> records;
    SiteState state;
    std::int64_t now = 1'000'000;
    std::size_t frames = 0, bytes = 0, records_sent = 0;
    bool agreed = false;
};

}  // namespace

TEST_CASE("reports: the coordinator learns all of a site, and then only what changes") {
    World world(GENERATE(1, 16, 300));
    const auto size = world.views.size();
    ReportStream stream({});
    stream.set_primary(true);
    world.settle(stream, "server-0");
    CHECK(world.agreed);
    world.check();
    CHECK(world.records_sent == size);

    world.frames = world.bytes = world.records_sent = 0;
    world.now += 59'000;
    CHECK_FALSE(world.exchange(stream, "server-0"));  // quiet
    world.now += 1'000;
    world.settle(stream, "server-0");
    CHECK(world.frames == 1);
    CHECK(world.bytes < 60);
    CHECK(world.state.servers(world.now, world.roster)[0].age_ms <= 301);

    const auto last = size - 1;
    world.set_record(last, 2);
    if (size > 1) world.views[0].state = "dead";
    stream.changed();
    world.now = stream.due_ms();
    world.settle(stream, "server-0");
    CHECK(world.agreed);
    CHECK(world.records_sent == 1);
    CHECK(world.frames == 2);
    world.check();

    world.views.pop_back();  // revoked: told in one report, not found out by digests
    world.frames = 0;
    stream.changed();
    world.now = stream.due_ms();
    world.settle(stream, "server-0");
    CHECK(world.agreed);
    CHECK(world.frames == 1);
}

TEST_CASE("reports: a standby says a digest, and takes over without telling all again") {
    World world(200);
    ReportStream first({});
    ReportStream second({});
    first.set_primary(true);
    world.settle(first, "server-0");
    world.frames = world.bytes = world.records_sent = 0;
    world.settle(second, "server-1");
    CHECK(world.frames == 1);
    CHECK(world.agreed);
    CHECK(world.records_sent == 0);

    world.set_record(7, 2);
    first.changed();
    second.changed();
    world.now += 1'000;
    world.settle(first, "server-0");
    CHECK(world.frames == 2);  // the standby kept quiet
    CHECK_FALSE(world.exchange(second, "server-1"));

    // The primary dies; the standby sees it and says so.
    world.views[0].state = "dead";
    world.frames = world.bytes = world.records_sent = 0;
    second.set_primary(true);
    second.changed();
    world.settle(second, "server-1");
    CHECK(world.agreed);
    CHECK(world.frames <= 3);
    CHECK(world.bytes < 1'500);
    CHECK(world.records_sent == 0);
    world.check();
}

TEST_CASE("reports: a standby that sees the site otherwise is asked for what differs only") {
    World world(300);
    ReportStream first({});
    first.set_primary(true);
    world.settle(first, "server-0");
    world.views[5].state = "dead";  // to the standby alone
    world.frames = world.bytes = 0;
    ReportStream second({});
    world.settle(second, "server-1");
    CHECK(world.agreed);
    CHECK(world.frames == 2);
    CHECK(world.bytes < 1'000);
    // The primary's evidence is as fresh: in doubt the fresher word counts, then the later one.
    CHECK(world.state.servers(world.now, world.roster)[5].state != "unknown");
}

TEST_CASE("reports: whatever is lost on the way, both ends agree after the next answer") {
    std::mt19937 random(GENERATE(range(1, 13)));
    World world(60);
    ReportStream streams[] = {ReportStream({}), ReportStream({})};
    streams[0].set_primary(true);
    const auto chance = [&](unsigned percent) { return random() % 100 < percent; };
    std::uint64_t seq = 1;
    for (int step = 0; step < 300; ++step) {
        world.now += 1 + static_cast<std::int64_t>(random() % 2'000);
        if (chance(40)) {
            const auto i = random() % world.views.size();
            const char* states[] = {"alive", "suspect", "dead", "left"};
            world.views[i].state = states[random() % 4];
            if (chance(50)) world.set_record(std::stoul(world.views[i].server_id.substr(7)), ++seq);
        }
        if (chance(3) && world.views.size() > 20) {  // revoked
            world.views.erase(world.views.begin() +
                              static_cast<std::ptrdiff_t>(random() % world.views.size()));
        }
        if (chance(3)) std::swap(streams[0], streams[1]);  // the other node's part
        if (chance(5)) {
            streams[0].set_primary(!streams[0].is_primary());
            streams[1].set_primary(!streams[0].is_primary());
        }
        if (chance(3)) world.state = {};  // the coordinator restarts: connections too
        for (std::size_t i = 0; i < 2; ++i) {
            streams[i].changed();
            const auto from = "server-" + std::to_string(i);
            const bool cut = chance(10) || streams[i].waits_for_ack();
            if (cut) {
                (void)world.exchange(streams[i], from, true);
                streams[i].restart();
            } else if (world.exchange(streams[i], from) && chance(5)) {
                streams[i].asked();
            }
        }
    }
    for (int round = 0; round < 3; ++round) {
        world.now += 120'000;
        world.settle(streams[0], "server-0");
        world.settle(streams[1], "server-1");
        CHECK(world.agreed);
    }
    world.now += 20'000;
    world.check();
}

TEST_CASE("reports: evidence is vouched for as far as it goes and no further") {
    World world(100);
    ReportStream stream({});
    stream.set_primary(true);
    for (std::size_t i = 0; i < 100; ++i) world.views[i].age_ms = static_cast<std::int64_t>(i) * 10;
    world.views[3].age_ms = 45'000;  // an outlier
    world.settle(stream, "server-0");
    world.now += 60'000;
    world.views[4].age_ms = -1;
    auto report =
        stream.next(world.now, world.views, [&](const std::string& id) { return world.held(id); });
    REQUIRE(report);
    CHECK(report->fresh_ms == 990);
    CHECK(report->stale == std::vector<std::string>{"server-4", "server-3"});
    const auto before = world.state.servers(world.now, world.roster)[3].age_ms;
    world.state.report(world.now, world.roster, "server-0", *report);
    const auto after = world.state.servers(world.now, world.roster);
    CHECK(after[3].age_ms == before);
    CHECK(after[50].age_ms == 990);
    CHECK(after[50].age_ms >= world.views[50].age_ms);
}

TEST_CASE("reports: one is under way at a time, and a foreign answer is none") {
    World world(4);
    ReportStream stream({});
    stream.set_primary(true);
    const auto held = [&](const std::string& id) { return world.held(id); };
    const auto report = stream.next(world.now, world.views, held);
    REQUIRE(report);
    stream.changed();
    stream.asked();
    CHECK(stream.waits_for_ack());
    CHECK_FALSE(stream.next(world.now + 10'000, world.views, held));
    control::Ack wrong;
    wrong.seq = report->seq + 1;
    CHECK_FALSE(stream.acknowledged(world.now, wrong));
    wrong.seq = 0;
    CHECK_FALSE(stream.acknowledged(world.now, wrong));
    CHECK(stream.waits_for_ack());
    stream.restart();
    CHECK(stream.next(world.now, world.views, held));
}

TEST_CASE("reports: the first report of a large site comes in parts that a thin line can carry") {
    World world(1000);
    ReportStream stream({});
    stream.set_primary(true);
    std::size_t largest = 0;
    for (int i = 0; i < 500 && stream.due_ms() <= world.now; ++i) {
        const auto before = world.bytes;
        if (!world.exchange(stream, "server-0")) break;
        largest = std::max(largest, world.bytes - before);
        world.now += 1;
    }
    CHECK(world.agreed);
    CHECK(world.records_sent == 1000);
    CHECK(largest < 40'000);
    world.check();
}
