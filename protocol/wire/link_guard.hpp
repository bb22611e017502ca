#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

namespace clarity::wire {

/// Watches the TCP connections that libzmq holds for what libzmq does not bound: a peer that sends
/// parts of a message that never ends (neither high-water marks nor ZMQ_MAXMSGSIZE count them), and
/// a connection whose key was revoked.
///
/// Method: the monitor tells the file descriptors; TCP_INFO tells the bytes that came in; every
/// delivered message resets the count. A connection over the limit is shut down, which libzmq takes
/// for a cut by the peer. Belongs to the network thread.
class LinkGuard {
  public:
    explicit LinkGuard(std::uint64_t unfinished_max_bytes) : limit_(unfinished_max_bytes) {}

    void opened(int fd);
    void closed(int fd) { links_.erase(fd); }
    /// A whole message of this user came from there.
    void delivered(int fd, const std::string& user);
    /// Shuts down what is over the limit; returns how many.
    std::size_t sweep(std::chrono::steady_clock::time_point now);
    /// Shuts down every connection of that user; returns how many.
    std::size_t cut_user(const std::string& user);
    bool cut(int fd);

  private:
    struct Link {
        std::string ends;  ///< both addresses: tells whether the descriptor is still this link
        std::string user;
        std::uint64_t baseline_bytes = 0;
        bool delivered = true;
    };
    std::uint64_t limit_;
    std::map<int, Link> links_;
    std::chrono::steady_clock::time_point swept_{};
};

}  // namespace clarity::wire
