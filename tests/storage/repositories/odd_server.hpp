#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace clarity::test {

/// A port of 127.0.0.1 that was free a moment ago.
inline int bind_loopback(int& port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    if (fd < 0 || ::bind(fd, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
        ::listen(fd, 16) != 0 ||
        ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
        throw std::runtime_error("cannot listen on 127.0.0.1");
    }
    port = ntohs(address.sin_port);
    return fd;
}

/// One connection of the odd server, with its one request.
class OddConnection {
  public:
    OddConnection(int fd, const std::atomic<bool>& closing, std::string got, int count)
        : request(std::move(got)), number(count), fd_(fd), closing_(closing) {}

    std::string request;  ///< request line and headers as they came
    int number;           ///< from 0: the how many-eth request of this server

    /// First byte of "Range: bytes=N-", or -1.
    [[nodiscard]] long range_first() const {
        const auto at = request.find("Range: bytes=");
        return at == std::string::npos ? -1 : std::stol(request.substr(at + 13));
    }
    void send(std::string_view bytes) const {
        while (!bytes.empty() && !closing_) {
            const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) return;
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
    }
    /// Says nothing more until the other side or the test gives up.
    void stall() const {
        pollfd wait{fd_, POLLIN | POLLRDHUP, 0};
        while (!closing_ && ::poll(&wait, 1, 50) == 0) {
        }
    }

  private:
    int fd_;
    const std::atomic<bool>& closing_;
};

/// An HTTP server that does just what the test says, strictly one request a connection.
class OddServer {
  public:
    using Handler = std::function<void(const OddConnection&)>;

    explicit OddServer(Handler handler) : handler_(std::move(handler)) {
        listener_ = bind_loopback(port_);
        thread_ = std::jthread([this] { run(); });
    }
    ~OddServer() {
        closing_ = true;
        ::shutdown(listener_, SHUT_RDWR);
        thread_.join();
        ::close(listener_);
    }
    OddServer(const OddServer&) = delete;
    OddServer& operator=(const OddServer&) = delete;

    [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
    [[nodiscard]] int requests() const { return count_; }

  private:
    void run() {
        while (!closing_) {
            const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
            if (fd < 0) continue;
            std::string request;
            char buffer[4096];
            while (request.find("\r\n\r\n") == std::string::npos) {
                const auto got = ::recv(fd, buffer, sizeof buffer, 0);
                if (got <= 0) break;
                request.append(buffer, static_cast<std::size_t>(got));
            }
            if (!request.empty()) handler_({fd, closing_, request, count_++});
            ::shutdown(fd, SHUT_WR);
            ::close(fd);
        }
    }

    Handler handler_;
    int listener_ = -1;
    int port_ = 0;
    std::atomic<bool> closing_{false};
    std::atomic<int> count_{0};
    std::jthread thread_;
};

}  // namespace clarity::test
