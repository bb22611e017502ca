// Goal: a member of the site that means harm costs its victim bounded memory, disturbs no other
// member, and is named.
// Method: the victim is a process of its own (victim.cpp), whose peak of memory is the kernel's
// word; the hostile client has a key of the roster and ZeroMQ's own sockets, which obey nothing of
// ours; an honest member talks to the victim all the while and measures how long answers take.
#include "tests/protocol/wire/hostile.hpp"

using namespace clarity;
using namespace clarity::test;
using namespace std::chrono_literals;

namespace {

/// Sends without pause on four connections, greeting first on each, until it is destroyed.
class Flood {
  public:
    Flood(Scene& scene, Bytes frame) : frame_(std::move(frame)) {
        for (auto& each : threads_) each = std::thread([this, &scene] { run(scene); });
    }
    ~Flood() {
        stop_ = true;
        for (auto& each : threads_) each.join();
    }
    Flood(const Flood&) = delete;
    Flood& operator=(const Flood&) = delete;

  private:
    Bytes frame_;
    std::atomic<bool> stop_ = false;
    std::array<std::thread, 4> threads_;

    void run(Scene& scene) {
        while (!stop_) {
            auto socket = scene.greeted();
            // libzmq connects again by itself, without a greeting then: take a new one instead.
            const auto renew = Clock::now() + 500ms;
            while (Clock::now() < renew && !stop_) {
                (void)socket.send(zmq::buffer(frame_), zmq::send_flags::none);
            }
        }
    }
};

}  // namespace

TEST_CASE("hostile: a flood of small frames is dropped at its share and ends outside") {
    Scene scene;
    {
        Flood flood(scene, Bytes("m") + Bytes(1000, 'x'));
        scene.keep_busy(300, [](auto& now) { return now["floods"] > 0; });
        // It goes on trying, and is not let in.
        scene.keep_busy(100, [](auto& now) { return now["refused.hostile"] > 0; });
        scene.check_honest();
    }
    auto after = scene.check();
    CHECK(after["dropped.hostile"] > 0);
    if (!measures) return;
    CHECK(after["floods"] > 0);
    CHECK(after["cut.hostile"] > 0);
    CHECK(after["refused.hostile"] > 0);
}

TEST_CASE("hostile: a flood of the largest frames costs no more memory than the limits") {
    Scene scene;
    {
        Flood flood(scene, Bytes("m") + Bytes(255 << 10, 'x'));
        int rounds = 0;
        scene.keep_busy(1000,
                        [&](auto& now) { return ++rounds >= 3 && now["dropped.hostile"] > 0; });
        scene.check_honest();
    }
    auto after = scene.check();
    if (measures) CHECK(after["dropped.hostile"] > 0);
}

TEST_CASE("hostile: messages that do not end are cut on the way, on many connections at once") {
    Scene scene;
    std::vector<zmq::socket_t> sockets;
    const Bytes part(64 << 10, 'x');
    for (int i = 0; i < 4; ++i) {
        sockets.push_back(scene.greeted());
        auto& socket = sockets.back();
        // libzmq's client hands a message over when its last part is there: 64 MiB each.
        for (int parts = 0; parts < 1024; ++parts) {
            socket.send(zmq::buffer(part), zmq::send_flags::sndmore);
        }
    }
    for (auto& socket : sockets) socket.send(zmq::buffer(part), zmq::send_flags::none);
    const auto deadline = Clock::now() + 20s;
    while (scene.victim.stats()["cut.hostile"] < 4 && Clock::now() < deadline) {
        std::this_thread::sleep_for(20ms);
    }
    auto after = scene.check();
    CHECK(after["cut.hostile"] >= 4);
    CHECK(after["heard.hostile"] == 0);
}

TEST_CASE("hostile: nested, oversize and unprintable greetings, and frames, harm nobody") {
    Scene scene;
    const std::array<Bytes, 4> frames{Bytes("h") + Bytes(250'000, '\x91'),
                                      Bytes("h\xdf\xff\xff\xff\xff", 6),
                                      Bytes("m") + Bytes(250'000, '\x91'), Bytes(1 << 20, 'h')};
    std::deque<zmq::socket_t> sockets;  // the latest: a handshake takes its time
    const auto deadline = Clock::now() + 30s;
    for (std::size_t i = 0; Clock::now() < deadline; ++i) {
        sockets.push_back(scene.dealer());
        (void)sockets.back().send(zmq::buffer(frames[i % frames.size()]), zmq::send_flags::none);
        if (sockets.size() > 6) sockets.pop_front();
        std::this_thread::sleep_for(20ms);
        auto now = scene.victim.stats();
        if (i >= 50 && now["greetings"] > 1 && now["cut.hostile"] > 1) break;
    }
    auto after = scene.check();
    CHECK(after["greetings"] > 1);
    CHECK(after["cut.hostile"] > 1);
}

TEST_CASE("hostile: connections by the hundred, silent or not, are limited by key") {
    Scene scene;
    std::vector<zmq::socket_t> sockets;
    for (int i = 0; i < 300; ++i) {
        sockets.push_back(i % 2 == 0 ? scene.greeted() : scene.dealer());
        std::this_thread::sleep_for(5ms);
    }
    const auto deadline = Clock::now() + 4s;  // they try again all the time
    while (Clock::now() < deadline) {
        for (auto& socket : sockets) {
            (void)socket.send(zmq::buffer(std::string_view("mx")), zmq::send_flags::dontwait);
        }
        std::this_thread::sleep_for(50ms);
    }
    auto after = scene.check();
    CHECK(after["refused.hostile"] > 0);
    CHECK(after["cut"] > 0);
}

TEST_CASE("hostile: connections without a key are cut before they crowd others out") {
    Scene scene;
    // Plain TCP: half of them say nothing, half begin a handshake and leave it at that.
    std::vector<zmq::socket_t> sockets;
    for (int round = 0; round < 300; ++round) {
        zmq::socket_t socket(scene.context, zmq::socket_type::stream);
        socket.set(zmq::sockopt::linger, 0);
        socket.set(zmq::sockopt::reconnect_ivl, 50);
        socket.connect(scene.victim.endpoint);
        sockets.push_back(std::move(socket));
        std::this_thread::sleep_for(2ms);
    }
    const auto deadline = Clock::now() + 10s;
    while (scene.victim.stats()["cut"] < 100 && Clock::now() < deadline) {
        std::this_thread::sleep_for(50ms);
    }
    auto after = scene.check();
    CHECK(after["cut"] >= 100);
    // Whoever has a key still gets in.
    Honest late(scene.victim);
    scene.victim.tell("allow honest " + curve_public(scene.honest.key.public_key())->hex() +
                      " late " + curve_public(late.key.public_key())->hex());
    sockets.clear();
    CHECK(late.is_answered_within(1, 30s));
}

TEST_CASE("hostile: who asks for much and takes nothing is sent no more than its share, then cut") {
    Scene scene;
    std::vector<zmq::socket_t> sockets;
    for (int i = 0; i < 4; ++i) {
        zmq::socket_t socket(scene.context, zmq::socket_type::dealer);
        const auto own = *curve_public(scene.hostile.public_key());
        const auto secret = scene.hostile.curve_secret();
        socket.set(zmq::sockopt::curve_serverkey, zmq::buffer(scene.victim.key.data));
        socket.set(zmq::sockopt::curve_publickey, zmq::buffer(own.data));
        socket.set(zmq::sockopt::curve_secretkey, zmq::buffer(secret.data));
        socket.set(zmq::sockopt::linger, 0);
        socket.set(zmq::sockopt::rcvhwm, 1);  // libzmq then stops reading from the network
        socket.set(zmq::sockopt::reconnect_ivl, 60'000);
        socket.connect(scene.victim.endpoint);
        socket.send(zmq::buffer(ours.encode()), zmq::send_flags::none);
        for (int n = 0; n < 20; ++n) {
            socket.send(zmq::buffer(std::string_view("mb 100")), zmq::send_flags::none);
        }
        sockets.push_back(std::move(socket));  // 4 × 125 MiB asked for
    }
    const auto deadline = Clock::now() + 20s;
    while (scene.victim.stats()["cut.hostile"] < 1 && Clock::now() < deadline) {
        std::this_thread::sleep_for(50ms);
    }
    auto after = scene.check();
    CHECK(after["cut.hostile"] >= 1);
    CHECK(after["dropped.hostile"] > 100);
    CHECK(after["slow"] > 100);
}

TEST_CASE("wire: eight idle connections wake nobody") {
    VictimProcess victim;
    std::string allow = "allow";
    std::vector<SigningKey> keys;
    std::vector<std::unique_ptr<wire::Wire>> members;
    std::atomic<int> up = 0;
    for (int i = 0; i < 8; ++i) {
        keys.push_back(SigningKey::generate());
        allow += " s" + std::to_string(i) + " " + curve_public(keys.back().public_key())->hex();
    }
    victim.tell(allow);
    for (const auto& key : keys) {
        wire::Settings settings;
        settings.secret = key.curve_secret();
        settings.post = [](const std::function<void()>& f) { f(); };
        members.push_back(*wire::Wire::start(std::move(settings)));
        members.back()->connect(
            {"victim",
             victim.endpoint,
             victim.key,
             {},
             [&](wire::PeerEvent event) { up += event == wire::PeerEvent::up ? 1 : 0; },
             0,
             ours});
    }
    const auto deadline = Clock::now() + 20s;
    while (up < 8 && Clock::now() < deadline) std::this_thread::sleep_for(5ms);
    REQUIRE(up == 8);
    // The handshakes' timers of libzmq end within 5 s; then there is nothing left to wake for.
    std::this_thread::sleep_for(6s);
    const auto before = victim.sleeps();
    std::this_thread::sleep_for(4s);
    const auto woken = victim.sleeps() - before;
    std::cout << "FIGURE: an idle listener with 8 connections woke " << woken << " times in 4 s"
              << std::endl;
    if (measures) CHECK(woken <= 4);  // a sanitizer has threads of its own
}
