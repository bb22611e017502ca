#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <random>

#include "protocol/wire/inbox.hpp"
#include "protocol/wire/link_guard.hpp"
#include "protocol/wire/sockets.hpp"
#include "protocol/wire/zap.hpp"

namespace clarity::wire {

/// Every socket of a Wire and what is done with them: the state of the network thread, touched by
/// no other. Commands from outside reach it as functions (see Wire::Impl).
class Network {
  public:
    using Clock = std::chrono::steady_clock;
    Network(Settings settings, std::shared_ptr<Inbox> inbox, Counters& counters);

    /// One turn: waits for a socket, `wake_fd`, or the next thing due; handles what came.
    void turn(int wake_fd);

    [[nodiscard]] Result<Listener> listen(ListenSettings settings);
    void set_authorised(std::uint32_t listener, std::map<CurveKey, std::string> users);
    void connect(ConnectSettings settings);
    void disconnect(const std::string& peer);
    void send(const std::string& peer, Bytes frame);
    void reply(const Handle& to, Bytes frame);
    void cut(const Handle& handle);

  private:
    struct Door {
        ListenSettings settings;
        std::unique_ptr<MonitoredSocket> socket;
        std::map<Bytes, std::string> users;  ///< hex of key → user
        std::map<int, Handle> open;          ///< by descriptor: who was heard over CURVE there
    };
    struct Peer {
        ConnectSettings settings;
        std::unique_ptr<MonitoredSocket> socket;  ///< none while we back off
        bool is_up = false;
        int backoff_ms = 0;
        Clock::time_point retry_at{};
        Clock::time_point told_dropped{};
        std::deque<std::pair<Clock::time_point, Bytes>> waiting;
    };

    Settings settings_;
    CurveKey public_;
    std::shared_ptr<Inbox> inbox_;
    Counters& counters_;
    zmq::context_t context_;
    LinkGuard guard_;
    std::map<std::uint32_t, Door> doors_;
    std::map<std::string, Peer> peers_;
    Zap zap_;
    std::uint32_t next_listener_ = 1;
    Clock::time_point next_sweep_{};
    Clock::time_point swept_{};
    std::chrono::nanoseconds used_{};  ///< processor time at the last sweep
    std::minstd_rand random_;

    void open(Peer& peer);
    void refused(Peer& peer);
    void tell(Peer& peer, PeerEvent event);
    [[nodiscard]] bool try_send(Peer& peer, Bytes& frame);
    void flush(Peer& peer, Clock::time_point now);
    void read_door(std::uint32_t id, Door& door);
    void read_peer(Peer& peer);
    void watch_door(Door& door);
    void closed(Door& door, int fd);
    void watch_peer(Peer& peer);
    void on_time(Clock::time_point now);
    [[nodiscard]] bool worked();
    [[nodiscard]] long wait_ms() const;
};

}  // namespace clarity::wire
