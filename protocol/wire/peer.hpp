#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "protocol/wire/common.hpp"
#include "protocol/wire/sockets.hpp"

namespace clarity::wire {

/// One connection that we open and keep open. libzmq's own reconnecting is off: a socket is one
/// connection, so that the greeting is its first frame, and a new one is made after each end, with
/// jittered backoff. Belongs to the network thread.
class Peer {
  public:
    Peer(Common& common, ConnectSettings settings);
    ~Peer();
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;

    [[nodiscard]] const ConnectSettings& settings() const { return *settings_; }
    void send(Bytes frame, Clock::time_point now);
    void set_keepalive(int keepalive_s);
    void read(Clock::time_point now);
    void watch(Clock::time_point now);
    void on_time(Clock::time_point now);
    /// When on_time() has something to do.
    [[nodiscard]] std::optional<Clock::time_point> due() const;
    /// None while it waits for its next try.
    [[nodiscard]] MonitoredSocket* socket() { return socket_.get(); }
    /// Something waits for the socket to become writable.
    [[nodiscard]] bool wants_out() const { return !waiting_.empty() || owes_greeting(); }

  private:
    enum class Sent { yes, unconnected, slow };

    Common& common_;
    std::shared_ptr<const ConnectSettings> settings_;
    std::shared_ptr<const Origin> origin_;
    std::unique_ptr<MonitoredSocket> socket_;
    int fd_ = -1;
    bool greets_ = false;
    int keepalive_s_ = 0;
    bool said_greeting_ = false;
    bool heard_greeting_ = false;
    bool is_up_ = false;
    int redial_ms_ = 0;
    int backoff_ms_ = 0;
    Clock::time_point dialled_{};
    Clock::time_point retry_at_{};
    Clock::time_point told_dropped_{};
    std::deque<std::pair<Clock::time_point, Bytes>> waiting_;

    [[nodiscard]] bool owes_greeting() const {
        return socket_ && fd_ >= 0 && greets_ && !said_greeting_;
    }
    void dial(Clock::time_point now);
    void ended(Clock::time_point now);
    void refused(Clock::time_point now);
    void close();
    void came_up();
    void tell(PeerEvent event);
    /// Sends the greeting if that is not done yet; false when the connection is not there.
    bool greet(Clock::time_point now);
    [[nodiscard]] bool check_greeting(const Bytes& frame, Clock::time_point now);
    [[nodiscard]] Sent try_send(const Bytes& frame, Clock::time_point now);
    [[nodiscard]] bool put(const Bytes& frame, Clock::time_point now);
    void flush(Clock::time_point now);
};

}  // namespace clarity::wire
