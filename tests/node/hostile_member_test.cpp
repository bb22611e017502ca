#include <fstream>
#include <thread>

#include "tests/node/mesh_node.hpp"

using namespace clarity;
using namespace clarity::test;
using namespace std::chrono_literals;

namespace {

/// Resident memory of this program, the attacker's own queues included.
std::size_t resident_bytes() {
    std::ifstream statm("/proc/self/statm");
    std::size_t total = 0, resident = 0;
    statm >> total >> resident;
    return resident * 4096;
}

/// In the roster, with its own key, and up to no good.
struct Hostile {
    Hostile(boost::asio::io_context& io, const Node& victim) : key(SigningKey::generate()) {
        net = *wire::Wire::start(
            {key.curve_secret(),
             [&io](std::function<void()> f) { boost::asio::post(io, std::move(f)); },
             {}});
        net->connect({"victim",
                      victim.listener.endpoint,
                      *curve_public(victim.key.public_key()),
                      [](Bytes) {},
                      [this](wire::PeerEvent event) { up = event == wire::PeerEvent::up; },
                      0,
                      {.site = "acme/dc-1", .server = "s9"}});
    }
    Member member() const { return {"s9", "s9", key.public_key(), "tcp://127.0.0.1:1", ""}; }
    void send(std::string_view frame) {
        net->send("victim", query::wrap(query::Channel::mesh, frame));
    }
    SigningKey key;
    bool up = false;
    std::unique_ptr<wire::Wire> net;
};

}  // namespace

TEST_CASE("hostile member: deep, broken and endless frames cost bounded memory and no friends") {
    boost::asio::io_context loop;
    Node a(loop, "s1"), b(loop, "s2");
    Hostile hostile(loop, a);
    auto roster = roster_of({&a, &b});
    roster.members.push_back(hostile.member());
    a.join(roster), b.join(roster);
    REQUIRE(
        run_until(loop, [&] { return hostile.up && a.sees_alive("s2") && b.sees_alive("s1"); }));
    const Bytes nested(250'000, '\x91');                      // an array in an array in an array…
    const Bytes map_bomb = Bytes("\xdf\xff\xff\xff\xff", 5);  // four billion entries to come
    const Bytes text_bomb = Bytes("\x81\xa1v\xdb\x7f\xff\xff\xff", 8);  // a text of 2 GiB, not here
    const Bytes not_ours(1000, '\xc1');
    const auto before = resident_bytes();
    std::size_t highest = before;
    for (int round = 0; round < 100; ++round) {
        for (const auto* frame : {&nested, &map_bomb, &text_bomb, &not_ours}) {
            hostile.send(*frame);
        }
        hostile.send("");
        loop.restart();
        loop.run_for(5ms);
        highest = std::max(highest, resident_bytes());
    }
    REQUIRE(run_until(loop, [&] { return a.mesh->mesh().counters().dropped_malformed >= 100; }));
    // 25 MB of it were sent; decoded, the nesting alone would have taken gigabytes.
    CHECK(highest - before < (96U << 20));
    CHECK(a.sees_alive("s2"));
    CHECK(b.sees_alive("s1"));
    a.publish(5);
    CHECK(run_until(loop, [&] { return b.mesh->book().records().contains("s1"); }));
}

TEST_CASE("hostile member: a flood is dropped at its share, the others are heard all the while") {
    boost::asio::io_context loop;
    Node a(loop, "s1"), b(loop, "s2");
    Hostile hostile(loop, a);
    auto roster = roster_of({&a, &b});
    roster.members.push_back(hostile.member());
    a.join(roster), b.join(roster);
    REQUIRE(
        run_until(loop, [&] { return hostile.up && a.sees_alive("s2") && b.sees_alive("s1"); }));
    const Bytes noise(1000, '\xc1');
    const auto before = resident_bytes();
    // Longer than a suspicion takes: were b not heard, it would be dead by the end.
    const auto enough = std::chrono::steady_clock::now() + 7s;
    std::size_t highest = before;
    while (std::chrono::steady_clock::now() < enough) {
        for (int i = 0; i < 2000; ++i) hostile.send(noise);
        // The victim is busy with something else for a moment: however quick the machine, more
        // comes than it hears. (Barred, the attacker gets nothing in any more.)
        const auto& counters = a.net->counters();
        const auto dropped = counters.dropped_full.load();
        const auto busy_until = std::chrono::steady_clock::now() + 30ms;
        while (counters.dropped_full == dropped && std::chrono::steady_clock::now() < busy_until) {
            std::this_thread::sleep_for(1ms);
        }
        loop.restart();
        loop.run_for(20ms);
        highest = std::max(highest, resident_bytes());
        if (a.mesh->mesh().state_of("s2") == mesh::State::dead) break;
    }
    // Its share came in; then the transport cut it, and kept it out for a while.
    CHECK(a.mesh->mesh().counters().dropped_malformed > 100);
    CHECK(a.net->offences()["s9"].frames_dropped > 0);
    CHECK(highest - before < (160U << 20));  // the attacker's 64 MiB of sending queue included
    CHECK(a.mesh->mesh().state_of("s2") != mesh::State::dead);
    CHECK(b.mesh->mesh().state_of("s1") != mesh::State::dead);
    a.publish(6);
    CHECK(run_until(loop, [&] { return b.mesh->book().records().contains("s1"); }));
}
