// Goal: one connection per pair of members, wherever it came from, and none that nobody needs.
// Method: the pure link table on virtual time; what it asks of the wire is written down.
#include <catch2/catch.hpp>
#include <set>

#include "node/mesh_links.hpp"

using namespace clarity;
using Belief = MeshLinks::Belief;

namespace {

/// The links of member "m" and what they did.
struct Bench {
    std::vector<std::string> addresses{"tcp://10.0.0.1:1"};
    std::vector<std::string> done;  ///< "dial MEMBER ENDPOINT", "send MEMBER FRAME", …
    std::int64_t now_ms = 1000;
    MeshLinks links;

    Bench() : links(settings(), actions()) {}
    static LinkSettings settings() {
        LinkSettings out;
        out.self = "m";
        return out;
    }
    LinkActions actions() {
        const auto note = [this](const std::string& what) { done.push_back(what); };
        LinkActions out;
        out.dial = [note](const auto& member, const auto& endpoint) {
            note("dial " + member + " " + endpoint);
        };
        out.hang_up = [note](const auto& member) { note("hang up " + member); };
        out.send = [note](const auto& member, Bytes frame) {
            note("send " + member + " " + frame);
        };
        out.reply = [note](const auto& to, Bytes frame) {
            note("reply " + to.route + " " + frame);
        };
        out.cut = [note](const auto& from) { note("cut " + from.route); };
        out.addresses = [this](const auto&) { return addresses; };
        out.answered = [](const auto&, const auto&) {};
        return out;
    }
    static wire::Handle handle(const std::string& route) { return {1, route, {}}; }
    std::vector<std::string> take() { return std::exchange(done, {}); }
    /// Runs the clock, waking the links when they asked for it.
    void pass(std::int64_t ms) {
        const auto end = now_ms + ms;
        std::int64_t last = -1;
        while (links.deadline() <= end) {
            now_ms = std::max(now_ms, links.deadline());
            REQUIRE((now_ms != last || done.size() < 1000));  // it does not spin
            last = now_ms;
            links.on_time(now_ms);
            if (links.deadline() <= now_ms) {
                links.on_time(now_ms);
                REQUIRE(links.deadline() > now_ms);
            }
        }
        now_ms = end;
        links.on_time(now_ms);
    }
    std::size_t count(const std::string& start) const {
        return static_cast<std::size_t>(std::count_if(
            done.begin(), done.end(), [&](const auto& each) { return each.starts_with(start); }));
    }
};

using List = std::vector<std::string>;

}  // namespace

TEST_CASE("mesh links: the lower id dials its active peers, frames wait for the connection") {
    Bench b;
    b.links.set_active(b.now_ms, {"x"});
    CHECK(b.take() == List{"dial x tcp://10.0.0.1:1"});
    b.links.send(b.now_ms, "x", "1", Belief::unknown);
    CHECK(b.take().empty());
    b.links.up(b.now_ms, "x");
    CHECK(b.take() == List{"send x 1"});
    b.links.send(b.now_ms, "x", "2", Belief::alive);
    CHECK(b.take() == List{"send x 2"});
    CHECK(b.links.connections() == 1);
    b.pass(3'600'000);  // an active peer's is never idle
    CHECK(b.take().empty());
}

TEST_CASE("mesh links: the higher id leaves the dial to the other, and answers over what came in") {
    Bench b;
    b.links.set_active(b.now_ms, {"a"});
    b.links.send(b.now_ms, "a", "1", Belief::alive);
    CHECK(b.take().empty());
    b.pass(500);
    b.links.received(b.now_ms, "a", Bench::handle("r1"));
    CHECK(b.take() == List{"reply r1 1"});
    b.links.send(b.now_ms, "a", "2", Belief::alive);
    b.pass(60'000);
    CHECK(b.take() == List{"reply r1 2"});
    CHECK(b.links.counters().dials == 0);
}

TEST_CASE("mesh links: the higher id dials when nothing came and it has something to say") {
    Bench b;
    b.links.set_active(b.now_ms, {"a"});
    b.pass(10'000);
    CHECK(b.take().empty());
    b.links.send(b.now_ms, "a", "1", Belief::alive);
    b.pass(999);
    CHECK(b.take().empty());
    b.pass(1);
    CHECK(b.take() == List{"dial a tcp://10.0.0.1:1"});
    b.links.up(b.now_ms, "a");
    CHECK(b.take() == List{"send a 1"});
}

TEST_CASE("mesh links: beyond the active peers, and to the dead, whoever has to send dials") {
    Bench b;
    b.links.send(b.now_ms, "a", "1", Belief::alive);
    CHECK(b.take() == List{"dial a tcp://10.0.0.1:1"});
    b.links.set_active(b.now_ms, {"b"});
    b.links.send(b.now_ms, "b", "1", Belief::dead);
    CHECK(b.take() == List{"dial b tcp://10.0.0.1:1"});
}

TEST_CASE("mesh links: guesses at who may be there are few at once, and soon given up") {
    Bench b;
    b.links.set_active(b.now_ms, {"x"});
    b.pass(400);
    b.take();
    for (const auto* member : {"a", "p", "q", "r", "s"}) {
        b.links.send(b.now_ms, member, "ping", Belief::unknown);
    }
    CHECK(b.count("dial ") == 3);
    CHECK(b.links.counters().unsent == 2);
    b.links.send(b.now_ms, "t", "news", Belief::alive);  // is no guess
    CHECK(b.count("dial t") == 1);
    b.links.up(b.now_ms, "a");
    b.links.send(b.now_ms, "s", "ping", Belief::unknown);
    CHECK(b.count("dial s") == 0);  // that of t is under way in its place
    b.pass(1500);
    CHECK(b.count("hang up p") == 1);
    b.take();
    b.links.send(b.now_ms, "u", "ping", Belief::unknown);
    CHECK(b.count("dial u") == 1);
}

TEST_CASE(
    "mesh links: no guess while dials to active peers are new, for who is up answers at once") {
    Bench b;
    b.links.set_active(b.now_ms, {"n", "o", "p"});
    CHECK(b.count("dial ") == 3);
    b.links.send(b.now_ms, "x", "1", Belief::unknown);
    CHECK(b.count("dial x") == 0);
    b.links.up(b.now_ms, "n");
    b.links.send(b.now_ms, "x", "1", Belief::unknown);  // two are under way: one guess is
    b.links.send(b.now_ms, "y", "1", Belief::unknown);
    CHECK(b.count("dial x") == 1);
    CHECK(b.count("dial y") == 0);
    b.pass(400);  // nobody at "o" and "p"
    b.links.send(b.now_ms, "y", "1", Belief::unknown);
    CHECK(b.count("dial y") == 1);
}

TEST_CASE("mesh links: the higher id waits longer for a stranger where others can speak of it") {
    Bench alone;
    alone.links.set_active(alone.now_ms, {"a"});
    alone.links.send(alone.now_ms, "a", "1", Belief::unknown);
    alone.pass(299);
    CHECK(alone.count("dial a") == 0);
    alone.pass(1);
    CHECK(alone.count("dial a") == 1);

    Bench known;
    known.links.set_active(known.now_ms, {"a", "x"});
    known.links.send(known.now_ms, "a", "1", Belief::unknown);
    known.links.up(known.now_ms, "x");
    known.pass(999);
    CHECK(known.count("dial a") == 0);
    known.pass(1);
    CHECK(known.count("dial a") == 1);

    Bench left;  // whoever could speak of it is gone
    left.links.set_active(left.now_ms, {"a", "x"});
    left.links.send(left.now_ms, "a", "1", Belief::unknown);
    left.links.up(left.now_ms, "x");
    left.pass(500);
    CHECK(left.count("dial a") == 0);
    left.links.down(left.now_ms, "x");
    left.pass(1);
    CHECK(left.count("dial a") == 1);
}

TEST_CASE("mesh links: of two connections the higher id closes its own once the other is in use") {
    Bench b;
    b.links.set_active(b.now_ms, {"a", "x"});
    b.links.send(b.now_ms, "a", "1", Belief::alive);
    b.pass(1000);
    b.links.up(b.now_ms, "a");
    b.links.up(b.now_ms, "x");
    b.take();
    b.links.received(b.now_ms, "a", Bench::handle("r1"));  // a is lower: ours goes
    b.links.received(b.now_ms, "x", Bench::handle("r2"));  // x is higher: it closes its own
    CHECK(b.links.connections() == 4);
    b.links.send(b.now_ms, "a", "2", Belief::alive);
    b.links.send(b.now_ms, "x", "2", Belief::alive);
    CHECK(b.take() == List{"reply r1 2", "send x 2"});
    b.pass(1000);
    CHECK(b.take() == List{"hang up a"});
    CHECK_FALSE(b.links.lost(b.now_ms, Bench::handle("r2")));
    CHECK(b.links.connections() == 2);
    CHECK(b.links.counters().duplicates == 1);
}

TEST_CASE("mesh links: a dial under way is given up when the member came in by itself") {
    Bench b;
    b.links.set_active(b.now_ms, {"x"});
    b.links.send(b.now_ms, "x", "1", Belief::unknown);
    b.take();
    b.links.received(b.now_ms, "x", Bench::handle("r1"));
    CHECK(b.take() == List{"hang up x", "reply r1 1"});
    b.links.up(b.now_ms, "x");  // late
    CHECK(b.links.connections() == 1);
}

TEST_CASE("mesh links: an address that does not answer gives way to the next, then to a pause") {
    Bench b;
    b.addresses = {"new", "old"};
    b.links.set_active(b.now_ms, {"x"});
    b.pass(1499);
    CHECK(b.take() == List{"dial x new"});
    b.pass(1);
    CHECK(b.take() == List{"hang up x", "dial x old"});
    b.links.refused(b.now_ms, "x");
    CHECK(b.take() == List{"hang up x"});
    b.pass(300);
    CHECK(b.take() == List{"dial x new"});
    b.pass(2800);
    CHECK(b.take().empty());  // twice as patient as in the first round
    b.pass(200);
    CHECK(b.take() == List{"hang up x", "dial x old"});
    b.pass(600'000);
    // Patience and pause are capped: rounds of two addresses, 6 s each, and 2 to 4 s.
    CHECK(b.count("dial x new") >= 600 / 16 - 2);
    CHECK(b.count("dial x new") <= 600 / 14 + 2);
    CHECK(b.links.counters().dials_failed + b.links.counters().refused + 1 >=
          b.links.counters().dials);
    b.take();
    b.addresses = {"newest", "old"};
    b.links.address_changed(b.now_ms, "x");
    const auto now = b.take();
    CHECK(now.back() == "dial x newest");
    b.links.up(b.now_ms, "x");
    CHECK(b.links.connections() == 1);
    b.links.address_changed(b.now_ms, "x");  // it is there: nothing to mend
    CHECK(b.take().empty());
}

TEST_CASE("mesh links: frames for who cannot be reached are few, and never sent late") {
    Bench b;
    for (int i = 0; i < 100; ++i)
        b.links.send(b.now_ms, "x", "f" + std::to_string(i), Belief::alive);
    CHECK(b.links.counters().unsent == 68);
    b.pass(3000);
    CHECK(b.links.counters().unsent == 100);
    b.take();
    b.links.send(b.now_ms, "x", "last", Belief::alive);
    b.links.received(b.now_ms, "x", Bench::handle("r"));
    CHECK(b.take().back() == "reply r last");
    const Bytes large(400'000, 'x');
    for (int i = 0; i < 10; ++i) b.links.send(b.now_ms, "y", large, Belief::alive);
    CHECK(b.links.counters().unsent == 108);
}

TEST_CASE("mesh links: what is idle beyond the active peers is closed by who dialled it") {
    Bench b;
    b.links.send(b.now_ms, "x", "1", Belief::alive);
    b.links.up(b.now_ms, "x");
    b.links.received(b.now_ms, "a", Bench::handle("r"));
    b.take();
    b.pass(14'000);
    b.links.received(b.now_ms, "x");
    b.pass(14'999);
    CHECK(b.take().empty());
    b.pass(1);
    CHECK(b.take() == List{"hang up x"});
    b.pass(600'000);
    CHECK(b.links.connections() == 1);
    CHECK_FALSE(b.links.lost(b.now_ms, Bench::handle("other")));
    CHECK_FALSE(b.links.lost(b.now_ms, Bench::handle("r")));  // it was idle there too
    b.pass(60'000);
    CHECK(b.links.members().empty());  // nothing is remembered of either
}

TEST_CASE("mesh links: only an active peer's lost connection is a sign that it may be gone") {
    Bench b;
    b.links.set_active(b.now_ms, {"a", "x"});
    b.links.received(b.now_ms, "a", Bench::handle("ra"));
    b.links.received(b.now_ms, "b", Bench::handle("rb"));
    CHECK(b.links.lost(b.now_ms, Bench::handle("ra")) == "a");
    CHECK_FALSE(b.links.lost(b.now_ms, Bench::handle("rb")));
    b.links.up(b.now_ms, "x");
    CHECK(b.links.down(b.now_ms, "x"));
    b.links.send(b.now_ms, "y", "frame", MeshLinks::Belief::alive);
    b.links.up(b.now_ms, "y");
    CHECK_FALSE(b.links.down(b.now_ms, "y"));
}

TEST_CASE("mesh links: a dead or revoked member's connections are closed at once, both ways") {
    Bench b;
    b.links.set_active(b.now_ms, {"x"});
    b.links.up(b.now_ms, "x");
    b.links.received(b.now_ms, "x", Bench::handle("r"));
    b.take();
    b.links.set_active(b.now_ms, {});
    b.links.close("x", true);
    CHECK(b.take() == List{"cut r", "hang up x"});
    CHECK(b.links.counters().dead_closed == 1);
    CHECK(b.links.connections() == 0);
    CHECK_FALSE(b.links.lost(b.now_ms, Bench::handle("r")));
    CHECK(b.links.members().empty());
}

TEST_CASE("mesh links: a connection that ends is dialled again by the lower id, after a moment") {
    Bench b;
    b.links.set_active(b.now_ms, {"x"});
    b.links.up(b.now_ms, "x");
    b.take();
    CHECK(b.links.down(b.now_ms, "x"));
    CHECK(b.take() == List{"hang up x"});
    b.pass(300);
    CHECK(b.take() == List{"dial x tcp://10.0.0.1:1"});
}
