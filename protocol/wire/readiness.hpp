#pragma once

#include <zmq.hpp>

namespace clarity::wire {

/// Tells what a socket has to say, asking it only when there may be something new. zmq_poll() asks
/// every socket before and after it sleeps, each time with a system call, which with twenty sockets
/// was most of the network thread's work.
///
/// By the rules of ZMQ_FD (zmq_getsockopt(3)): its descriptor becomes readable when something may
/// have changed, and says nothing of what was there before or was found while the socket was used.
class Readiness {
  public:
    /// `socket` outlives it.
    explicit Readiness(zmq::socket_t& socket)
        : socket_(&socket), fd_(socket.get(zmq::sockopt::fd)) {}

    /// To poll for reading, whatever is waited for.
    [[nodiscard]] int fd() const { return fd_; }
    /// To be called whenever something was sent or read, whatever came of it; and when the
    /// descriptor is readable.
    void used() { look_ = true; }
    /// ZMQ_POLLIN, ZMQ_POLLOUT or both; 0 where nothing can have changed.
    [[nodiscard]] int events() {
        if (!look_) return 0;
        look_ = false;
        int out = 0;
        std::size_t size = sizeof out;
        return zmq_getsockopt(socket_->handle(), ZMQ_EVENTS, &out, &size) == 0 ? out : 0;
    }

  private:
    zmq::socket_t* socket_;
    int fd_;
    bool look_ = true;
};

}  // namespace clarity::wire
