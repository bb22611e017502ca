#include "protocol/wire/pulse.hpp"

#include <csignal>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <ctime>

namespace clarity::wire {
namespace {

constexpr long beat_ns = 10'000'000;
constexpr std::size_t stack_bytes = 256U << 10;  // virtual; two pages are touched

}  // namespace

Pulse::Pulse(int wake_fd, std::atomic<bool>& beat) : wake_fd_(wake_fd), beat_(beat) {
    // Not std::thread: only pthread_cancel() ends a sleep that may last as long as the idleness.
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, stack_bytes);
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);  // inherited: signals are the main thread's
    started_ = pthread_create(&thread_, &attributes, &Pulse::run, this) == 0;
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    pthread_attr_destroy(&attributes);
    if (!started_) works_ = false;
}

Pulse::~Pulse() {
    if (!started_) return;
    pthread_cancel(thread_);
    pthread_join(thread_, nullptr);
}

void* Pulse::run(void* self) {
    auto& me = *static_cast<Pulse*>(self);
    for (;;) {
        const timespec more{0, beat_ns};
        const int error = clock_nanosleep(CLOCK_PROCESS_CPUTIME_ID, 0, &more, nullptr);
        if (error != 0 && error != EINTR) {
            me.works_ = false;
            return nullptr;
        }
        me.beat_ = true;
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto written = write(me.wake_fd_, &one, sizeof one);
    }
}

}  // namespace clarity::wire
