#include "protocol/wire/sleeper.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <array>

namespace clarity::wire {
namespace {

constexpr std::size_t events_max = 64;  // the rest is told by the next call

void watch(int list, int fd, void* whose) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = whose;
    if (epoll_ctl(list, EPOLL_CTL_ADD, fd, &event) != 0) throw zmq::error_t();
}

}  // namespace

Sleeper::Sleeper() : fd_(epoll_create1(EPOLL_CLOEXEC)) {
    if (fd_ < 0) throw zmq::error_t();
}

Sleeper::~Sleeper() {
    close(fd_);
}

void Sleeper::add(Readiness& socket) {
    watch(fd_, socket.fd(), &socket);
}

void Sleeper::remove(Readiness& socket) {
    epoll_ctl(fd_, EPOLL_CTL_DEL, socket.fd(), nullptr);
}

void Sleeper::wake_by(int fd) {
    watch(fd_, fd, nullptr);
}

bool Sleeper::sleep(int wait_ms) {
    std::array<epoll_event, events_max> events;
    const int count = epoll_wait(fd_, events.data(), static_cast<int>(events.size()), wait_ms);
    bool woken = false;
    for (int i = 0; i < count; ++i) {
        auto* socket = static_cast<Readiness*>(events[static_cast<std::size_t>(i)].data.ptr);
        if (socket == nullptr) woken = true;
        else socket->used();
    }
    return woken;
}

}  // namespace clarity::wire
