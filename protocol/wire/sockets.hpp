#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <zmq.hpp>

#include "protocol/wire/readiness.hpp"
#include "protocol/wire/sleeper.hpp"
#include "protocol/wire/wire.hpp"

namespace clarity::wire {

/// What a socket's monitor says: an event of ZMQ_EVENT_… and its value (a file descriptor, an
/// error or a status code).
struct MonitorEvent {
    int event = 0;
    int value = 0;
};

/// A ZeroMQ socket with the monitor that watches it. Belongs to the network thread.
class MonitoredSocket {
  public:
    /// With a sleeper, which outlives it, that one watches both. Throws zmq::error_t.
    MonitoredSocket(zmq::context_t& context, zmq::socket_type type, Sleeper* sleeper = nullptr);
    ~MonitoredSocket();
    MonitoredSocket(const MonitoredSocket&) = delete;
    MonitoredSocket& operator=(const MonitoredSocket&) = delete;

    zmq::socket_t socket;
    zmq::socket_t monitor;
    Readiness socket_ready{socket};
    Readiness monitor_ready{monitor};

    [[nodiscard]] std::optional<MonitorEvent> next_event();

  private:
    std::optional<SleeperEntry> socket_entry_;
    std::optional<SleeperEntry> monitor_entry_;
};

/// Options that all our sockets share.
void set_common_options(zmq::socket_t& socket, const Limits& limits);
/// Only who connects sends heartbeats; they tell the other end how long to wait for the next.
void set_heartbeat(zmq::socket_t& socket, int every_ms);
/// TCP's own means against a peer that vanished (see ConnectSettings).
void set_keepalive(zmq::socket_t& socket, int keepalive_s, int again_s, int unacknowledged_ms);
/// The first of these for a connection that is open.
void set_keepalive(int fd, int keepalive_s);
/// Of listeners: they end what the other end no longer watches.
inline constexpr int listener_keepalive_again_s = 10;
inline constexpr int listener_unacknowledged_ms = 30'000;
/// CURVE as a client with the given own keys.
void set_curve_client(zmq::socket_t& socket, const CurveKey& secret, const CurveKey& own_key,
                      const CurveKey& server_key);
/// X25519 public key of a secret one.
[[nodiscard]] CurveKey curve_public_of(const CurveKey& secret);

/// One message of a DEALER: its only frame, or `whole` false when it had more (read away).
struct Received {
    Bytes frame;
    bool whole = true;
};

/// The next message without waiting.
[[nodiscard]] std::optional<Received> receive(zmq::socket_t& dealer);

}  // namespace clarity::wire
