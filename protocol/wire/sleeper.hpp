#pragma once

#include "protocol/wire/readiness.hpp"

namespace clarity::wire {

/// Sleeps until one of many sockets may have something to say. The kernel keeps the list (epoll):
/// a sleep costs with what happened, not with how many sockets there are.
class Sleeper {
  public:
    /// Throws zmq::error_t.
    Sleeper();
    ~Sleeper();
    Sleeper(const Sleeper&) = delete;
    Sleeper& operator=(const Sleeper&) = delete;

    /// Is told by used() when its descriptor is readable, until it is removed.
    void add(Readiness& socket);
    void remove(Readiness& socket);
    /// The descriptor of which sleep() tells; level-triggered.
    void wake_by(int fd);
    /// At most so long; -1 = until something happens. True when the descriptor to wake by is
    /// readable.
    [[nodiscard]] bool sleep(int wait_ms);

  private:
    int fd_;
};

/// A socket's place in it, for as long as this lives.
class SleeperEntry {
  public:
    SleeperEntry(Sleeper& sleeper, Readiness& socket) : sleeper_(sleeper), socket_(socket) {
        sleeper_.add(socket_);
    }
    ~SleeperEntry() { sleeper_.remove(socket_); }
    SleeperEntry(const SleeperEntry&) = delete;
    SleeperEntry& operator=(const SleeperEntry&) = delete;

  private:
    Sleeper& sleeper_;
    Readiness& socket_;
};

}  // namespace clarity::wire
