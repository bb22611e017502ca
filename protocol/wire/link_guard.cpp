#include "protocol/wire/link_guard.hpp"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <optional>

namespace clarity::wire {
namespace {

/// Heartbeats and acknowledgements count as bytes but are never delivered.
constexpr std::uint64_t idle_bytes_s = 256;

std::optional<std::uint64_t> bytes_received(int fd) {
    tcp_info info{};
    socklen_t size = sizeof info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return std::nullopt;
    return info.tcpi_bytes_received;
}

std::string ends_of(int fd) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    if (getpeername(fd, raw, &size) != 0) return {};
    std::string out(reinterpret_cast<const char*>(&address), size);
    size = sizeof address;
    if (getsockname(fd, raw, &size) != 0) return {};
    return out.append(reinterpret_cast<const char*>(&address), size);
}

}  // namespace

void LinkGuard::opened(int fd) {
    Link link;
    link.ends = ends_of(fd);
    link.baseline_bytes = bytes_received(fd).value_or(0);
    if (!link.ends.empty()) links_[fd] = std::move(link);
}

void LinkGuard::delivered(int fd, const std::string& user) {
    if (fd < 0) return;
    auto at = links_.find(fd);
    if (at == links_.end()) {
        opened(fd);  // its message overtook the monitor
        at = links_.find(fd);
        if (at == links_.end()) return;
    }
    at->second.delivered = true;
    if (at->second.user != user) at->second.user = user;
}

std::size_t LinkGuard::sweep(std::chrono::steady_clock::time_point now) {
    const auto passed = std::chrono::duration_cast<std::chrono::milliseconds>(now - swept_);
    swept_ = now;
    const auto idle = static_cast<std::uint64_t>(passed.count()) * idle_bytes_s / 1000;
    std::size_t cuts = 0;
    for (auto at = links_.begin(); at != links_.end();) {
        auto& [fd, link] = *at++;
        const auto received = bytes_received(fd);
        if (!received) continue;
        if (link.delivered) link.baseline_bytes = *received;
        link.delivered = false;
        link.baseline_bytes = std::min(link.baseline_bytes + idle, *received);
        if (*received - link.baseline_bytes > limit_) cuts += cut(fd) ? 1U : 0U;
    }
    return cuts;
}

std::size_t LinkGuard::cut_user(const std::string& user) {
    std::size_t cuts = 0;
    for (auto at = links_.begin(); at != links_.end();) {
        const auto& [fd, link] = *at++;
        if (link.user == user) cuts += cut(fd) ? 1U : 0U;
    }
    return cuts;
}

bool LinkGuard::cut(int fd) {
    const auto at = links_.find(fd);
    if (at == links_.end()) return false;
    // The descriptor is libzmq's and may have been closed and reused since the last event.
    const bool same = ends_of(fd) == at->second.ends;
    links_.erase(at);
    return same && shutdown(fd, SHUT_RDWR) == 0;
}

}  // namespace clarity::wire
