#include "protocol/wire/link_guard.hpp"

#include <arpa/inet.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <utility>

#include "protocol/error.hpp"

namespace clarity::wire {
namespace {

constexpr std::size_t addresses_max = 4096;
/// A frame may take so long through libzmq's threads.
constexpr auto on_its_way = std::chrono::milliseconds(50);

std::optional<tcp_info> info_of(int fd) {
    tcp_info info{};
    socklen_t size = sizeof info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return std::nullopt;
    return info;
}

/// The other end's address without its port.
std::string host_of(int fd) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
    if (address.ss_family == AF_INET6) {
        const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
        return {reinterpret_cast<const char*>(&v6.sin6_addr), sizeof v6.sin6_addr};
    }
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    return {reinterpret_cast<const char*>(&v4.sin_addr), sizeof v4.sin_addr};
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

/// What a message of ours is on the wire: ZMTP's frame around CURVE's MESSAGE command.
std::uint64_t wire_bytes(std::size_t frame) {
    const std::uint64_t command = frame + 33;
    return command + (command > 255 ? 9U : 2U);
}

}  // namespace

LinkGuard::Link* LinkGuard::open(int fd, bool incoming, Time now) {
    if (fd < 0) return nullptr;
    closed(fd);
    Link link;
    link.ends = ends_of(fd);
    if (link.ends.empty()) return nullptr;  // gone again
    link.opened = link.sent_at = link.moved_at = now;
    link.incoming = incoming;
    if (const auto info = info_of(fd)) link.acked_bytes = info->tcpi_bytes_acked;
    else link.tcp = false;
    link.sent_bytes = link.acked_bytes;
    incoming_ += incoming ? 1 : 0;
    return &links_.emplace(fd, std::move(link)).first->second;
}

void LinkGuard::accepted(int fd, Time now) {
    const auto known = links_.find(fd);
    if (known != links_.end() && known->second.ends == ends_of(fd)) return;  // already heard
    if (open(fd, true, now) == nullptr) return;
    unproven_.emplace(std::pair(now, fd), fd);
    if (!within_budget(fd, now)) {
        cut(links_.find(fd), Why::hasty);
    } else if (incoming_ > limits_.connections) {
        cut(links_.find(fd), Why::crowded);
    } else if (unproven_.size() > limits_.unproven) {
        cut(links_.find(unproven_.begin()->second), Why::crowded);
    }
}

bool LinkGuard::within_budget(int fd, Time now) {
    if (!links_.at(fd).tcp) return true;
    const auto refilled = [&](const Budget& budget) {
        const auto passed = std::chrono::duration<double>(now - budget.at).count();
        return std::min(limits_.accepts_burst, budget.left + passed * limits_.accepts_per_s);
    };
    const auto host = host_of(fd);
    auto at = budgets_.find(host);
    if (at == budgets_.end()) {
        if (budgets_.size() >= addresses_max) {
            std::erase_if(budgets_, [&](const auto& row) {
                return refilled(row.second) >= limits_.accepts_burst;
            });
        }
        if (budgets_.size() >= addresses_max) return true;  // the bounds on all are left
        at = budgets_.emplace(host, Budget{limits_.accepts_burst, now}).first;
    }
    at->second = {refilled(at->second), now};
    if (at->second.left < 1) return false;
    at->second.left -= 1;
    return true;
}

void LinkGuard::connected(int fd, const std::string& user, Time now) {
    if (auto* link = open(fd, false, now)) link->user = user;
}

void LinkGuard::closed(int fd) {
    const auto at = links_.find(fd);
    if (at != links_.end()) forget(at);
}

void LinkGuard::forget(Links::iterator at) {
    auto& [fd, link] = *at;
    set_unread(link, link.acked_bytes, link.acked_bytes);
    unproven_.erase(std::pair(link.opened, fd));
    incoming_ -= link.incoming ? 1 : 0;
    links_.erase(at);
}

bool LinkGuard::proven(int fd, const std::string& user, Time now) {
    auto at = links_.find(fd);
    if (at == links_.end()) {  // its message overtook the monitor
        if (open(fd, true, now) == nullptr) return false;
        at = links_.find(fd);
    }
    auto& link = at->second;
    unproven_.erase(std::pair(link.opened, fd));
    set_unread(link, link.acked_bytes, link.acked_bytes);
    link.user = user;
    link.delivered = true;
    return true;
}

void LinkGuard::delivered(int fd) {
    const auto at = links_.find(fd);
    if (at != links_.end()) at->second.delivered = true;
}

void LinkGuard::set_unread(Link& link, std::uint64_t sent, std::uint64_t acked) {
    const auto before = link.unread();
    link.sent_bytes = sent;
    link.acked_bytes = acked;
    const auto after = link.unread();
    if (before == after) return;
    unread_total_ += after - before;  // unsigned: also downwards
    auto& of_user = unread_[link.user];
    of_user += after - before;
    if (of_user == 0) unread_.erase(link.user);
}

void LinkGuard::refresh_sent(int fd, Link& link, Time now) {
    const auto info = info_of(fd);
    if (!info) return;
    const std::uint64_t acked = info->tcpi_bytes_acked;
    // libzmq's own bytes (handshake, heartbeats) are acknowledged too and never in our count.
    const bool empty =
        info->tcpi_unacked == 0 && info->tcpi_notsent_bytes == 0 && now - link.sent_at > on_its_way;
    if (acked != link.acked_bytes || empty) link.moved_at = now;
    set_unread(link, empty ? acked : std::max(link.sent_bytes, acked), acked);
}

bool LinkGuard::may_send(int fd, std::size_t bytes, Time now) {
    const auto at = links_.find(fd);
    if (at == links_.end() || !at->second.tcp) return true;
    auto& link = at->second;
    const auto more = wire_bytes(bytes);
    const auto fits = [&] {
        const auto of_user = unread_.find(link.user);
        const auto unread = of_user == unread_.end() ? 0 : of_user->second;
        return (unread == 0 || unread + more <= limits_.unread_bytes) &&
               (unread_total_ == 0 || unread_total_ + more <= limits_.unread_total_bytes);
    };
    if (fits()) return true;
    // Counts are from the last look: ask the kernel about this user's connections, or all.
    const bool all = unread_total_ + more > limits_.unread_total_bytes;
    for (auto& [other_fd, other] : links_) {
        if (other.unread() != 0 && (all || other.user == link.user))
            refresh_sent(other_fd, other, now);
    }
    return fits();
}

void LinkGuard::sent(int fd, std::size_t bytes, Time now) {
    const auto at = links_.find(fd);
    if (at == links_.end() || !at->second.tcp) return;
    auto& link = at->second;
    if (link.unread() == 0) {
        link.moved_at = now;
        look(look_at_, now + limits_.stalled);
    }
    link.sent_at = now;
    set_unread(link, link.sent_bytes + wire_bytes(bytes), link.acked_bytes);
}

void LinkGuard::sweep(Time now) {
    std::uint64_t total = 0;
    std::vector<std::pair<std::uint64_t, int>> unfinished;
    look_at_.reset();
    for (auto at = links_.begin(); at != links_.end();) {
        const auto here = at++;
        auto& [fd, link] = *here;
        if (link.cut_at && now >= *link.cut_at) {
            cut(here, Why::condemned);
            continue;
        }
        if (link.cut_at) look(look_at_, *link.cut_at);
        const auto info = link.tcp ? info_of(fd) : std::nullopt;
        if (!info) continue;
        if (link.unread() != 0) refresh_sent(fd, link, now);
        if (link.unread() != 0 && now - link.moved_at >= limits_.stalled) {
            cut(here, Why::stalled);
            continue;
        }
        if (link.unread() != 0) look(look_at_, link.moved_at + limits_.stalled);
        if (link.delivered) link.baseline_bytes = info->tcpi_bytes_received;
        link.delivered = false;
        const auto open = info->tcpi_bytes_received - link.baseline_bytes;
        if (open > limits_.unfinished_bytes) {
            cut(here, Why::endless);
            continue;
        }
        total += open;
        if (open != 0) unfinished.emplace_back(open, fd);
    }
    std::sort(unfinished.rbegin(), unfinished.rend());
    for (const auto& [open, fd] : unfinished) {
        if (total <= limits_.unfinished_total_bytes) break;
        total -= open;
        cut(links_.find(fd), Why::endless);
    }
    while (!unproven_.empty() && now - unproven_.begin()->first.first >= limits_.first_frame) {
        cut(links_.find(unproven_.begin()->second), Why::silent);
    }
}

std::optional<LinkGuard::Time> LinkGuard::due() const {
    auto out = look_at_;
    if (!unproven_.empty()) look(out, unproven_.begin()->first.first + limits_.first_frame);
    return out;
}

void LinkGuard::look(std::optional<Time>& at, Time no_later) {
    at = at ? std::min(*at, no_later) : no_later;
}

bool LinkGuard::cut(int fd) {
    const auto at = links_.find(fd);
    if (at == links_.end()) return false;
    // The descriptor is libzmq's and may have been closed and reused since the last event.
    const bool same = ends_of(fd) == at->second.ends;
    forget(at);
    return same && shutdown(fd, SHUT_RDWR) == 0;
}

void LinkGuard::cut(Links::iterator at, Why why) {
    Cut noted{at->second.user, address_of(at->first), why};
    if (cut(at->first)) cuts_.push_back(std::move(noted));
}

void LinkGuard::cut_at(int fd, Time when) {
    const auto at = links_.find(fd);
    if (at == links_.end()) return;
    at->second.cut_at = when;
    look(look_at_, when);
}

std::vector<LinkGuard::Cut> LinkGuard::take_cuts() {
    return std::exchange(cuts_, {});
}

std::string LinkGuard::address_of(int fd) const {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (fd < 0 || getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (address.ss_family == AF_INET) {
        const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
        inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
        return fmt::format("{}:{}", text.data(), ntohs(v4.sin_port));
    }
    if (address.ss_family == AF_INET6) {
        const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
        inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
        std::string_view host(text.data());
        constexpr std::string_view mapped = "::ffff:";
        if (host.starts_with(mapped)) {
            return fmt::format("{}:{}", host.substr(mapped.size()), ntohs(v6.sin6_port));
        }
        return fmt::format("[{}]:{}", host, ntohs(v6.sin6_port));
    }
    return "a local program";
}

}  // namespace clarity::wire
