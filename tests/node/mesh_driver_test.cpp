#include <boost/asio/post.hpp>
#include <catch2/catch.hpp>
#include <chrono>

#include "node/mesh_driver.hpp"
#include "node/uplink.hpp"
#include "protocol/query.hpp"

using namespace clarity;
using namespace std::chrono_literals;

namespace {

bool run_until(boost::asio::io_context& loop, const std::function<bool()>& done,
               std::chrono::milliseconds most = 15s) {
    const auto deadline = std::chrono::steady_clock::now() + most;
    while (!done() && std::chrono::steady_clock::now() < deadline) {
        loop.restart();
        loop.run_for(10ms);
    }
    return done();
}

/// One node's transport and mesh, as the agent joins them.
struct Node {
    Node(boost::asio::io_context& io, std::string name)
        : loop(io), id(std::move(name)), key(SigningKey::generate()) {
        net = *wire::Wire::start(
            {key.curve_secret(),
             [&io](std::function<void()> f) { boost::asio::post(io, std::move(f)); },
             {}});
        const auto bound = net->listen(
            {"tcp://127.0.0.1:0", "mesh.listen", true, 0,
             [this](const std::string& user, const wire::Handle& from, Bytes frame) {
                 if (mesh && query::is(query::Channel::mesh, frame)) {
                     mesh->receive(user, from, query::body_of(frame));
                 }
             },
             [this](const wire::Handle& handle) {
                 if (mesh) mesh->lost(handle);
             }});
        REQUIRE(bound);
        listener = *bound;
        MeshCallbacks hooks;
        hooks.changed = [] {};
        hooks.ad_seen = [this](const mesh::DocumentAd& ad) { mesh->want(ad.digest); };
        hooks.document = [this](const mesh::DocumentAd&, const Bytes& body) {
            documents.push_back(body);
        };
        hooks.store_incarnation = [this](std::uint64_t value) -> Result<void> {
            if (disk_full) return fail(Errc::no_space, "disk full");
            incarnation = value;
            return {};
        };
        hooks.record_jump = [] {};
        hooks.equivocation = [](const mesh::Equivocation&) {};
        MeshDriverSettings settings;
        settings.site = "acme/dc-1";
        settings.self = id;
        mesh = std::make_unique<MeshDriver>(io, *net, settings, std::move(hooks));
    }
    ~Node() {
        net.reset();
        mesh.reset();
    }
    Member member() const { return {id, id, key.public_key(), listener.endpoint, ""}; }
    void join(const Roster& roster) {
        std::map<CurveKey, std::string> users;
        for (const auto& each : roster.members) users[*curve_public(each.key)] = each.server_id;
        net->set_authorised(listener.id, users);
        mesh->set_roster(roster);
    }
    void publish(std::uint64_t plan_seq) {
        Record record;
        record.site = "acme/dc-1";
        record.server_id = id;
        record.version = mesh->next_version();
        record.plan_seq = plan_seq;
        auto envelope = Envelope::make(payload_type::record, record.encode());
        envelope.sign(key);
        mesh->set_own_record(record.version, envelope.encode());
    }
    bool sees_alive(const std::string& other) const {
        for (const auto& each : mesh->mesh().members()) {
            if (each.id == other) return each.state == mesh::State::alive;
        }
        return false;
    }
    boost::asio::io_context& loop;
    std::string id;
    SigningKey key;
    bool disk_full = false;
    std::uint64_t incarnation = 0;
    std::vector<Bytes> documents;
    wire::Listener listener;
    std::unique_ptr<wire::Wire> net;
    std::unique_ptr<MeshDriver> mesh;
};

Roster roster_of(const std::vector<Node*>& nodes) {
    Roster out;
    out.site = "acme/dc-1";
    out.epoch = 1;
    for (const auto* node : nodes) out.members.push_back(node->member());
    return out;
}

}  // namespace

TEST_CASE("mesh over the wire: nodes find each other from the roster and share their records") {
    boost::asio::io_context loop;
    Node a(loop, "s1"), b(loop, "s2"), c(loop, "s3");
    const auto roster = roster_of({&a, &b, &c});
    for (auto* node : {&a, &b, &c}) node->join(roster);
    a.publish(7);
    REQUIRE(run_until(loop, [&] { return a.sees_alive("s2") && b.sees_alive("s3") &&
                                         c.sees_alive("s1"); }));
    REQUIRE(run_until(loop, [&] {
        const auto& seen = c.mesh->book().records();
        return seen.contains("s1") && seen.at("s1").plan_seq == 7;
    }));
    CHECK(a.incarnation > 0);
    const auto before = std::chrono::steady_clock::now();
    b.publish(8);
    REQUIRE(run_until(loop, [&] {
        const auto& seen = a.mesh->book().records();
        return seen.contains("s2") && seen.at("s2").plan_seq == 8;
    }));
    const auto took = std::chrono::steady_clock::now() - before;
    CHECK(took < 1s);
}

TEST_CASE("mesh over the wire: a document given to one node reaches the others") {
    boost::asio::io_context loop;
    Node a(loop, "s1"), b(loop, "s2");
    const auto roster = roster_of({&a, &b});
    for (auto* node : {&a, &b}) node->join(roster);
    auto envelope = Envelope::make(payload_type::plan, Bytes(200'000, 'p'));
    const auto body = envelope.encode();
    a.mesh->offer({"plan", "acme/dc-1", 1, envelope.digest(), body.size()}, body);
    REQUIRE(run_until(loop, [&] { return !b.documents.empty(); }));
    CHECK(b.documents.front() == body);
}

TEST_CASE("mesh over the wire: gone from the roster is not heard and does not hear") {
    boost::asio::io_context loop;
    Node a(loop, "s1"), b(loop, "s2"), c(loop, "s3");
    const auto all = roster_of({&a, &b, &c});
    for (auto* node : {&a, &b, &c}) node->join(all);
    REQUIRE(run_until(loop, [&] { return a.sees_alive("s3") && b.sees_alive("s3"); }));
    const auto fewer = roster_of({&a, &b});
    a.join(fewer), b.join(fewer);
    c.publish(99);
    a.publish(5);
    REQUIRE(run_until(loop, [&] { return b.mesh->book().records().contains("s1"); }));
    CHECK(run_until(loop, [&] { return !c.sees_alive("s1") && !c.sees_alive("s2"); }, 30s));
    CHECK_FALSE(a.mesh->book().records().contains("s3"));
    CHECK_FALSE(c.mesh->book().records().contains("s1"));
}

TEST_CASE("mesh over the wire: nothing is sent before the incarnation is on disk") {
    boost::asio::io_context loop;
    Node a(loop, "s1"), b(loop, "s2");
    a.disk_full = true;
    const auto roster = roster_of({&a, &b});
    b.join(roster);
    a.join(roster);
    (void)run_until(loop, [&] { return b.sees_alive("s1"); }, 1500ms);
    CHECK(a.incarnation == 0);
    CHECK(b.mesh->mesh().counters().frames_received == 0);
    a.disk_full = false;
    REQUIRE(run_until(loop, [&] { return b.sees_alive("s1"); }));
    CHECK(a.incarnation > 0);
}
