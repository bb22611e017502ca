// Goal: two sites never talk to each other by accident, whatever their addresses and keys are, and
// whoever looks into the log knows why.
// Method: real connections whose keys are let in, with greetings that do and do not fit.
#include <fstream>
#include <thread>

#include "protocol/query.hpp"
#include "tests/protocol/wire/fixtures.hpp"

using namespace clarity;
using namespace clarity::test;
using namespace std::chrono_literals;

namespace {

const wire::Greeting ours{.site = "acme/dc-1", .server = "s1"};

Bytes hello(const wire::Greeting& greeting) {
    return greeting.encode();
}

}  // namespace

TEST_CASE("greeting: its golden bytes, and back") {
    // A change of these bytes makes running agents refuse each other: a new version is negotiated
    // by version_min and version_max, never by another layout.
    const wire::Greeting greeting{"acme/dc-1", "server-1", 1, 3};
    std::ifstream file(std::string(CLARITY_TEST_DATA) + "/greeting.hex");
    std::string golden;
    file >> golden;
    CHECK(to_hex(greeting.encode()) == golden);
    CHECK(wire::Greeting::decode(greeting.encode()).value() == greeting);
}

TEST_CASE("greeting: what is no greeting is refused, and nothing unprintable gets into a log") {
    CHECK_FALSE(wire::Greeting::decode(""));
    CHECK_FALSE(wire::Greeting::decode("h"));
    CHECK_FALSE(wire::Greeting::decode("m" + ours.encode().substr(1)));
    CHECK_FALSE(wire::Greeting::decode(ours.encode() + "x"));
    CHECK_FALSE(wire::Greeting::decode(hello({.site = "", .server = "s1"})));
    CHECK_FALSE(wire::Greeting::decode(hello({.site = "a\nERROR all is lost", .server = "s1"})));
    CHECK_FALSE(wire::Greeting::decode(hello({.site = "acme/dc-1", .server = "\x1b[2J"})));
    CHECK_FALSE(wire::Greeting::decode(hello({.site = Bytes(201, 'a'), .server = ""})));
    CHECK_FALSE(wire::Greeting::decode(hello({"acme/dc-1", "s1", 2, 1})));
    CHECK_FALSE(wire::Greeting::decode(Bytes("h") + Bytes(500, '\x91')));
    CHECK_FALSE(wire::Greeting::decode(Bytes("h\xdf\xff\xff\xff\xff", 6)));
}

TEST_CASE("greeting: versions agree when their ranges meet") {
    const auto with = [](std::uint32_t low, std::uint32_t high) {
        return wire::Greeting{"acme/dc-1", "s", low, high};
    };
    CHECK_FALSE(wire::disagreement(with(1, 2), with(2, 4)));
    CHECK_FALSE(wire::disagreement(with(2, 4), with(1, 2)));
    const auto why = wire::disagreement(with(1, 2), with(3, 4));
    REQUIRE(why);
    CHECK(why->find("update the older") != std::string::npos);
    CHECK(wire::disagreement(with(3, 4), with(1, 2)));
}

TEST_CASE("greeting: both ends of one site talk, and see no greeting among their frames") {
    Loop loop;
    Server server(loop, {}, ours);
    Client client(loop, server, {.site = "acme/dc-1", .server = "s2"});
    server.allow({{"s2", &client.key}});
    REQUIRE(client.net->send("server", "m1"));
    REQUIRE(loop.run_until([&] { return client.is_up() && !client.heard.empty(); }));
    CHECK(server.heard == std::vector<std::pair<std::string, Bytes>>{{"s2", "m1"}});
    CHECK(client.heard == std::vector<Bytes>{"m1"});
    CHECK(server.net->offences().empty());
}

TEST_CASE("greeting: it comes first again after every new connection") {
    Loop loop;
    Server server(loop, {}, ours);
    Client client(loop, server, {.site = "acme/dc-1", .server = "s2"});
    server.allow({{"s2", &client.key}});
    for (std::size_t i = 1; i <= 5; ++i) {
        REQUIRE(loop.run_until([&] {
            if (server.heard.size() < i) client.net->send("server", "m");
            return server.heard.size() >= i && client.events.count(wire::PeerEvent::up) == i;
        }));
        server.net->cut(server.last);
        REQUIRE(loop.run_until([&] { return client.events.count(wire::PeerEvent::down) == i; }));
        server.heard.resize(i);
    }
    CHECK(server.lost >= 5);
    CHECK(server.net->counters().greetings_refused == 0);
}

TEST_CASE("greeting: a server of another site is cut by both ends, and nothing of it is heard") {
    Loop loop;
    Server server(loop, {}, ours);
    Client stranger(loop, server, {.site = "acme/dc-2", .server = "s2"});
    server.allow({{"s2", &stranger.key}});
    stranger.net->send("server", "m1");
    REQUIRE(loop.run_until([&] { return stranger.events.contains(wire::PeerEvent::refused); }));
    REQUIRE(loop.run_until([&] { return server.net->counters().greetings_refused > 0; }));
    CHECK(stranger.net->counters().greetings_refused > 0);
    CHECK_FALSE(stranger.is_up());
    CHECK(server.heard.empty());
    CHECK(stranger.heard.empty());
    // It tries again for ever, rarer and rarer: it may be enrolled anew.
    REQUIRE(loop.run_until([&] { return stranger.events.count(wire::PeerEvent::refused) >= 3; }));
    CHECK(server.heard.empty());
}

TEST_CASE("greeting: an end that greets nobody is not taken for a peer by one that does") {
    Loop loop;
    Server server(loop);  // an older one, or another program
    Client client(loop, server, ours);
    server.allow({{"s2", &client.key}});
    server.echo = false;
    REQUIRE(loop.run_until([&] { return !server.heard.empty(); }));
    server.net->reply(server.last, "m1");
    REQUIRE(loop.run_until([&] { return client.events.contains(wire::PeerEvent::refused); }));
    CHECK(client.heard.empty());
    CHECK(client.net->counters().greetings_refused == 1);
}

TEST_CASE("greeting: what comes before it costs the connection, frames behind it included") {
    Loop loop;
    Server server(loop, {}, ours);
    const auto key = SigningKey::generate();
    server.allow({{"s2", &key}});
    zmq::context_t context;
    for (const auto& first : {Bytes("m1"), Bytes(""), Bytes("h"), Bytes("hello"),
                              hello({.site = "acme/dc-2", .server = "s2"})}) {
        const auto before = server.net->counters().greetings_refused.load();
        auto raw = raw_dealer(context, key, server);
        raw.send(zmq::buffer(first), zmq::send_flags::none);
        raw.send(zmq::buffer(hello(ours)), zmq::send_flags::none);
        raw.send(zmq::buffer(std::string_view("m2")), zmq::send_flags::none);
        REQUIRE(loop.run_until([&] { return server.net->counters().greetings_refused > before; }));
    }
    CHECK(server.heard.empty());
    CHECK(server.net->offences()["s2"].connections_cut >= 4);
}

TEST_CASE("greeting: a connection may only ask instead, and then does nothing else") {
    Loop loop;
    Server server(loop, {}, ours);
    const auto observer = SigningKey::generate();
    server.allow({{"observer", &observer}});
    Result<Bytes> answer = fail(Errc::failed, "not run");
    std::atomic<bool> done = false;
    std::thread asker([&] {
        answer = wire::ask({server.at.endpoint, server.public_key(), observer.curve_secret()},
                           query::encode({.name = "status", .path = {}}), 5000);
        done = true;
    });
    loop.run_until([&] { return done.load(); });
    asker.join();
    CHECK(answer.value_or("").starts_with("q"));
    CHECK(server.heard.size() == 1);

    zmq::context_t context;
    auto raw = raw_dealer(context, observer, server);
    raw.send(zmq::buffer(std::string_view("q?")), zmq::send_flags::none);
    raw.send(zmq::buffer(std::string_view("mesh frame")), zmq::send_flags::none);
    raw.send(zmq::buffer(std::string_view("q again")), zmq::send_flags::none);
    REQUIRE(loop.run_until([&] { return server.net->offences()["observer"].connections_cut > 0; }));
    CHECK(server.heard.size() == 2);
    CHECK(server.heard.back().second == "q?");
}
