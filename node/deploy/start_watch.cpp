#include "node/deploy/start_watch.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace clarity {
namespace {

class Socket {
  public:
    explicit Socket(int family)
        : fd_(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {}
    ~Socket() {
        if (fd_ >= 0) ::close(fd_);
    }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    [[nodiscard]] int fd() const { return fd_; }
    [[nodiscard]] bool wait(short events, int timeout_ms) const {
        pollfd waiting{fd_, events, 0};
        return ::poll(&waiting, 1, timeout_ms) == 1;
    }

  private:
    int fd_;
};

/// Fills an IPv4 or IPv6 address; false when the text is neither.
bool address_of(const std::string& text, std::uint16_t port, sockaddr_storage& out,
                socklen_t& size) {
    auto* four = reinterpret_cast<sockaddr_in*>(&out);
    if (::inet_pton(AF_INET, text.c_str(), &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons(port);
        size = sizeof *four;
        return true;
    }
    auto* six = reinterpret_cast<sockaddr_in6*>(&out);
    if (::inet_pton(AF_INET6, text.c_str(), &six->sin6_addr) != 1) return false;
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(port);
    size = sizeof *six;
    return true;
}

std::string check_http(const Socket& socket, const std::string& host, const std::string& path,
                       const std::string& where, int timeout_ms) {
    const auto request = "GET " + path + " HTTP/1.0\r\nHost: " + host + "\r\n\r\n";
    if (::send(socket.fd(), request.data(), request.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(request.size())) {
        return "no HTTP request can be sent to " + where;
    }
    std::string answer;
    while (answer.size() < 13) {
        char buffer[256];
        if (!socket.wait(POLLIN, timeout_ms)) return "no HTTP answer from " + where + path;
        const auto got = ::recv(socket.fd(), buffer, sizeof buffer, 0);
        if (got <= 0) break;
        answer.append(buffer, static_cast<std::size_t>(got));
    }
    const auto space = answer.find(' ');
    if (!answer.starts_with("HTTP/") || space == std::string::npos) {
        return where + path + " does not speak HTTP";
    }
    const int status = std::atoi(answer.c_str() + space + 1);
    if (status >= 200 && status < 400) return {};
    return fmt::format("{}{} answers HTTP {}", where, path, status);
}

}  // namespace

std::string run_checks(const StartWatch& watch, int timeout_ms) {
    if (watch.tcp_port == 0) return {};
    const auto host = watch.address.empty() ? std::string("127.0.0.1") : watch.address;
    const auto where = fmt::format("{}:{}", host, watch.tcp_port);
    sockaddr_storage address{};
    socklen_t size = 0;
    if (!address_of(host, watch.tcp_port, address, size)) {
        return "watch address \"" + host + "\" is no IP address";
    }
    const Socket socket(address.ss_family);
    if (socket.fd() < 0) return "no socket for the check of " + where;
    if (::connect(socket.fd(), reinterpret_cast<sockaddr*>(&address), size) != 0) {
        if (errno != EINPROGRESS) return "nothing listens on " + where;
        int error = 0;
        socklen_t length = sizeof error;
        if (!socket.wait(POLLOUT, timeout_ms)) return "no answer from " + where;
        ::getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &length);
        if (error != 0) return "nothing listens on " + where;
    }
    if (watch.http_path.empty()) return {};
    return check_http(socket, host, watch.http_path, where, timeout_ms);
}

bool should_restart(RestartPolicy policy, int exit_code) {
    if (policy == RestartPolicy::never) return false;
    return policy != RestartPolicy::on_failure || exit_code != 0;
}

WatchVerdict StartWatcher::look(std::int64_t now_ms, const WatchSample& sample) {
    const auto& seen = sample.seen;
    const bool ended = seen.state == RunState::stopped || seen.state == RunState::failed ||
                       seen.state == RunState::absent;
    if (ended && seen.state == RunState::stopped && seen.exit_code == 0 &&
        !should_restart(restart_, 0)) {
        detail_ = "finished with exit code 0";
        return WatchVerdict::good;
    }
    if (ended && !should_restart(restart_, seen.exit_code)) {
        detail_ = seen.detail.empty() ? fmt::format("ended with exit code {}", seen.exit_code)
                                      : seen.detail;
        return WatchVerdict::bad;
    }
    if (seen.state != RunState::running || seen.restarts != restarts_) {
        restarts_ = seen.restarts;
        stable_since_ms_ = -1;
        detail_ = seen.detail.empty() ? std::string(name_of(seen.state)) : seen.detail;
    } else if (stable_since_ms_ < 0) {
        stable_since_ms_ = now_ms;
    }
    const bool stable = stable_since_ms_ >= 0 && seen.state == RunState::running &&
                        now_ms - stable_since_ms_ >= std::int64_t{watch_.stable_s} * 1000;
    if (stable && sample.checks_pass) {
        detail_.clear();
        return WatchVerdict::good;
    }
    if (!sample.checks_pass && seen.state == RunState::running) detail_ = sample.check_detail;
    if (now_ms - begun_ms_ < std::int64_t{watch_.timeout_s} * 1000) return WatchVerdict::pending;
    detail_ = fmt::format("not up after {} s: {}", watch_.timeout_s,
                          detail_.empty() ? "it did not stay up long enough" : detail_);
    return WatchVerdict::bad;
}

}  // namespace clarity
