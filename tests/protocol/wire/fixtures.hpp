#pragma once

#include <catch2/catch.hpp>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>
#include <zmq.hpp>

#include "protocol/keys.hpp"
#include "protocol/wire/wire.hpp"

/// Servers and clients of transport tests: real sockets on loopback, one loop run by the test.
namespace clarity::test {

/// The owner's loop: functions run when the test waits, on the test's thread.
class Loop {
  public:
    wire::Post post() {
        return [this](std::function<void()> f) {
            const std::lock_guard lock(mutex_);
            queue_.push_back(std::move(f));
            changed_.notify_one();
        };
    }
    /// Runs what comes until `done` or the deadline; says whether it was done.
    bool run_until(const std::function<bool()>& done,
                   std::chrono::milliseconds most = std::chrono::seconds(10)) {
        const auto deadline = std::chrono::steady_clock::now() + most;
        while (!done()) {
            std::unique_lock lock(mutex_);
            const auto soon = std::min(
                deadline, std::chrono::steady_clock::now() + std::chrono::milliseconds(20));
            if (!changed_.wait_until(lock, soon, [&] { return !queue_.empty(); })) {
                if (std::chrono::steady_clock::now() >= deadline) return done();
                continue;
            }
            auto next = std::move(queue_.front());
            queue_.pop_front();
            lock.unlock();
            next();
        }
        return true;
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> queue_;
};

/// A server with one listener that notes what it hears.
struct Server {
    explicit Server(Loop& loop, wire::Limits limits = {}, wire::Greeting greeting = {})
        : key(SigningKey::generate()) {
        auto started = wire::Wire::start({key.curve_secret(), loop.post(), limits});
        REQUIRE(started);
        net = std::move(*started);
        auto bound =
            net->listen({"tcp://127.0.0.1:0", "mesh.listen", true, 0,
                         [this](const std::string& user, const wire::Handle& from, Bytes frame) {
                             heard.emplace_back(user, std::move(frame));
                             last = from;
                             if (echo) net->reply(from, heard.back().second);
                         },
                         [this](const wire::Handle&) { ++lost; }, std::move(greeting), "q"});
        REQUIRE(bound);
        at = *bound;
    }
    CurveKey public_key() const { return *curve_public(key.public_key()); }
    void allow(const std::map<std::string, const SigningKey*>& users) {
        std::map<CurveKey, std::string> all;
        for (const auto& [name, user] : users) all[*curve_public(user->public_key())] = name;
        net->set_authorised(at.id, all);
    }

    SigningKey key;
    wire::Listener at;
    bool echo = true;
    int lost = 0;
    wire::Handle last;
    std::vector<std::pair<std::string, Bytes>> heard;
    std::unique_ptr<wire::Wire> net;
};

struct Client {
    Client(Loop& loop, const Server& server, wire::Greeting greeting = {})
        : key(SigningKey::generate()) {
        wire::Limits limits;
        limits.backoff_min_ms = 50;
        net = *wire::Wire::start({key.curve_secret(), loop.post(), limits});
        net->connect({"server", server.at.endpoint, server.public_key(),
                      [this](Bytes frame) { heard.push_back(std::move(frame)); },
                      [this](wire::PeerEvent event) { events.insert(event); }, 2000,
                      std::move(greeting)});
    }
    SigningKey key;
    bool is_up() const { return events.contains(wire::PeerEvent::up); }
    std::vector<Bytes> heard;
    std::multiset<wire::PeerEvent> events;
    std::unique_ptr<wire::Wire> net;
};

/// A raw authenticated DEALER, for what our own client never sends.
inline zmq::socket_t raw_dealer(zmq::context_t& context, const SigningKey& key,
                                const Server& server) {
    zmq::socket_t out(context, zmq::socket_type::dealer);
    const auto own = *curve_public(key.public_key());
    const auto secret = key.curve_secret();
    const auto theirs = server.public_key();
    out.set(zmq::sockopt::curve_serverkey, zmq::buffer(theirs.data));
    out.set(zmq::sockopt::curve_publickey, zmq::buffer(own.data));
    out.set(zmq::sockopt::curve_secretkey, zmq::buffer(secret.data));
    out.set(zmq::sockopt::linger, 0);
    out.set(zmq::sockopt::sndhwm, 16);
    out.set(zmq::sockopt::sndtimeo, 200);
    out.connect(server.at.endpoint);
    return out;
}

}  // namespace clarity::test
