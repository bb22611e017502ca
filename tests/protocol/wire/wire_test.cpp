#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "tests/protocol/wire/fixtures.hpp"

using namespace clarity;
using namespace clarity::test;
using namespace std::chrono_literals;

TEST_CASE("wire: a frame arrives under the name that the listener gives the key") {
    Loop loop;
    Server server(loop);
    Client client(loop, server);
    server.allow({{"edge-1", &client.key}});
    REQUIRE(client.net->send("server", "hello"));
    REQUIRE(loop.run_until([&] { return !client.heard.empty(); }));
    CHECK(server.heard.front() == std::pair<std::string, Bytes>("edge-1", "hello"));
    CHECK(client.heard.front() == "hello");
    CHECK(client.events.contains(wire::PeerEvent::up));
}

TEST_CASE("wire: a refused key gets in by itself once it is listed") {
    Loop loop;
    Server server(loop);
    Client client(loop, server);
    REQUIRE(loop.run_until([&] { return client.events.contains(wire::PeerEvent::refused); }));
    CHECK(server.heard.empty());
    server.allow({{"edge-1", &client.key}});
    REQUIRE(loop.run_until([&] {
        if (client.events.contains(wire::PeerEvent::up)) client.net->send("server", "late");
        return !client.heard.empty();
    }));
    CHECK(client.net->counters().reconnects > 0);
    CHECK(server.net->counters().handshakes_refused > 0);
}

TEST_CASE("wire: tries at who refuses us are rarer and rarer") {
    Loop loop;
    Server server(loop);
    wire::Limits limits;
    limits.backoff_min_ms = 100;
    limits.backoff_max_ms = 800;
    const auto key = SigningKey::generate();
    auto net = *wire::Wire::start({key.curve_secret(), loop.post(), limits});
    std::vector<std::chrono::steady_clock::time_point> refused;
    net->connect(
        {"server", server.at.endpoint, server.public_key(), {}, [&](wire::PeerEvent event) {
             if (event != wire::PeerEvent::refused) return;
             refused.push_back(std::chrono::steady_clock::now());
         }});
    REQUIRE(loop.run_until([&] { return refused.size() >= 6; }));
    // Pauses of half to all of 100, 200, 400, 800, 800 ms.
    CHECK(refused[5] - refused[0] >= 1150ms);
    CHECK(refused[5] - refused[4] >= 400ms);
}

TEST_CASE("wire: a revoked key's live connection is cut and its frames are dropped") {
    Loop loop;
    Server server(loop);
    Client client(loop, server);
    Client other(loop, server);
    server.allow({{"edge-1", &client.key}, {"edge-2", &other.key}});
    client.net->send("server", "before");
    other.net->send("server", "before");
    REQUIRE(loop.run_until([&] { return !client.heard.empty() && !other.heard.empty(); }));
    const auto handle_of_gone = server.last;

    server.allow({{"edge-2", &other.key}});
    REQUIRE(loop.run_until([&] { return server.net->counters().connections_cut > 0; }));
    const auto heard = server.heard.size();
    client.net->send("server", "after");
    other.net->send("server", "still in");
    REQUIRE(loop.run_until([&] { return client.events.contains(wire::PeerEvent::refused); }));
    REQUIRE(loop.run_until([&] { return other.heard.size() == 2; }));
    for (auto i = heard; i < server.heard.size(); ++i) CHECK(server.heard[i].first == "edge-2");
    CHECK(server.net->counters().connections_cut >= 1);
}

TEST_CASE("wire: a name claimed as routing id gives nothing") {
    Loop loop;
    Server server(loop);
    Client client(loop, server);
    const auto impostor_key = SigningKey::generate();
    server.allow({{"edge-1", &client.key}, {"edge-2", &impostor_key}});
    zmq::context_t context;
    auto impostor = zmq::socket_t(context, zmq::socket_type::dealer);
    {
        const auto own = *curve_public(impostor_key.public_key());
        const auto secret = impostor_key.curve_secret();
        const auto theirs = server.public_key();
        impostor.set(zmq::sockopt::routing_id, "edge-1");
        impostor.set(zmq::sockopt::curve_serverkey, zmq::buffer(theirs.data));
        impostor.set(zmq::sockopt::curve_publickey, zmq::buffer(own.data));
        impostor.set(zmq::sockopt::curve_secretkey, zmq::buffer(secret.data));
        impostor.set(zmq::sockopt::linger, 0);
        impostor.connect(server.at.endpoint);
    }
    impostor.send(zmq::buffer(std::string_view("I am edge-1")), zmq::send_flags::none);
    client.net->send("server", "really");
    REQUIRE(loop.run_until([&] {
        return !server.heard.empty() && server.net->offences()["edge-2"].connections_cut > 0;
    }));
    REQUIRE(server.heard.size() == 1);
    CHECK(server.heard.front() == std::pair<std::string, Bytes>("edge-1", "really"));
}

TEST_CASE("wire: multipart and oversize frames cost their sender the connection, others nothing") {
    Loop loop;
    Server server(loop);
    Client client(loop, server);
    const auto hostile = SigningKey::generate();
    server.allow({{"edge-1", &client.key}, {"hostile", &hostile}});
    zmq::context_t context;
    auto raw = raw_dealer(context, hostile, server);
    raw.send(zmq::buffer(std::string_view("a")), zmq::send_flags::sndmore);
    raw.send(zmq::buffer(std::string_view("b")), zmq::send_flags::none);
    REQUIRE(loop.run_until([&] { return server.net->counters().dropped_malformed == 1; }));
    const Bytes huge(1 << 20, 'x');
    auto big = raw_dealer(context, hostile, server);
    big.send(zmq::buffer(huge), zmq::send_flags::none);
    client.net->send("server", "fine");
    REQUIRE(loop.run_until([&] { return !client.heard.empty(); }));
    REQUIRE(server.heard.size() == 1);
    CHECK(server.heard.front().second == "fine");
}

TEST_CASE("wire: a message that never ends is cut, not stored") {
    Loop loop;
    Server server(loop);
    const auto hostile = SigningKey::generate();
    server.allow({{"hostile", &hostile}});
    zmq::context_t context;
    auto raw = raw_dealer(context, hostile, server);
    // libzmq's client hands over a multipart message when its last part is there; the server then
    // holds parts until that last one has crossed the wire, which takes longer than the guard does.
    const Bytes part(64 << 10, 'x');
    raw.set(zmq::sockopt::sndtimeo, -1);
    for (int i = 0; i < 2048; ++i) raw.send(zmq::buffer(part), zmq::send_flags::sndmore);
    raw.send(zmq::buffer(part), zmq::send_flags::none);
    REQUIRE(loop.run_until([&] { return server.net->counters().connections_cut > 0; }));
    CHECK(server.net->counters().dropped_malformed == 0);  // never whole: cut on the way
    CHECK(server.heard.empty());
}

TEST_CASE("wire: a flood waits no deeper than its share while others get through") {
    Loop loop;
    wire::Limits limits;
    limits.pending_frames_per_user = 50;
    Server server(loop, limits);
    server.echo = false;
    Client flooder(loop, server);
    Client calm(loop, server);
    server.allow({{"flooder", &flooder.key}, {"calm", &calm.key}});
    REQUIRE(loop.run_until([&] {
        return flooder.events.contains(wire::PeerEvent::up) &&
               calm.events.contains(wire::PeerEvent::up);
    }));
    // The owner's loop stands still: nothing below runs it until the flood is over.
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (server.net->counters().dropped_full < 1000 &&
           std::chrono::steady_clock::now() < deadline) {
        flooder.net->send("server", "noise");
    }
    calm.net->send("server", "signal");
    REQUIRE(loop.run_until([&] {
        for (const auto& [user, frame] : server.heard) {
            if (user == "calm") return true;
        }
        return false;
    }));
    CHECK(server.net->counters().dropped_full >= 1000);
}

TEST_CASE("wire: a frame to a peer that comes up a moment later is delivered, a stale one is not") {
    Loop loop;
    auto server = std::make_unique<Server>(loop);
    const auto endpoint = server->at.endpoint;
    const auto server_key = server->key;
    server.reset();
    const auto key = SigningKey::generate();
    wire::Limits limits;
    limits.waiting_ms = 200;
    int dropped = 0;
    auto net = *wire::Wire::start({key.curve_secret(), loop.post(), limits});
    net->connect({"server", endpoint, *curve_public(server_key.public_key()), [](Bytes) {},
                  [&](wire::PeerEvent event) { dropped += event == wire::PeerEvent::dropped; }});
    net->send("server", "stale");
    REQUIRE(loop.run_until([&] { return dropped > 0; }));
}

TEST_CASE("wire: a port in use is one line that names setting, endpoint and what to do") {
    Loop loop;
    Server server(loop);
    auto second = *wire::Wire::start({SigningKey::generate().curve_secret(), loop.post(), {}});
    const auto bound = second->listen({server.at.endpoint, "mesh.listen", true, 0, {}, {}});
    REQUIRE_FALSE(bound);
    CHECK(bound.error().message.find("mesh.listen") != std::string::npos);
    CHECK(bound.error().message.find("in use") != std::string::npos);
    CHECK(bound.error().message.find('\n') == std::string::npos);
}

TEST_CASE("wire: one question, one answer, over the local socket and over CURVE") {
    char folder[] = "/tmp/clarity-wire-XXXXXX";
    REQUIRE(mkdtemp(folder) != nullptr);
    const std::string path = std::string(folder) + "/query";
    Loop loop;
    Server server(loop);
    std::vector<std::string> users;
    const auto local =
        server.net->listen({"ipc://" + path,
                            "run_dir",
                            false,
                            0600,
                            [&](const std::string& user, const wire::Handle& from, Bytes frame) {
                                users.push_back(user);
                                server.net->reply(from, "local " + frame);
                            },
                            {}});
    REQUIRE(local);
    const auto ask = [&](const wire::AskSettings& settings) {
        Result<Bytes> answer = fail(Errc::failed, "not run");
        std::atomic<bool> done = false;
        std::thread asker([&] { answer = wire::ask(settings, "question", 5000), done = true; });
        loop.run_until([&] { return done.load(); });
        asker.join();
        return answer;
    };
    CHECK(ask({"ipc://" + path, {}, {}}).value_or("") == "local question");
    CHECK(users == std::vector<std::string>{"local"});
    const auto missing = ask({"ipc://" + path + "x", {}, {}});
    REQUIRE_FALSE(missing);
    CHECK(missing.error().code == Errc::not_found);

    const auto observer = SigningKey::generate();
    const wire::AskSettings remote{server.at.endpoint, server.public_key(),
                                   observer.curve_secret()};
    const auto denied = ask(remote);
    REQUIRE_FALSE(denied);
    CHECK(denied.error().code == Errc::denied);
    server.allow({{"observer", &observer}});
    CHECK(ask(remote).value_or("") == "question");
    server.net.reset();
    unlink(path.c_str());
    rmdir(folder);
}
