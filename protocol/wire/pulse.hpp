#pragma once

#include <pthread.h>

#include <atomic>

namespace clarity::wire {

/// Wakes the network thread whenever this process has used another 10 ms of processor time, and
/// never while it rests: nobody can send much without costing that (a megabyte under CURVE takes
/// 2 ms), so the connections need looking at then, and only then.
///
/// Method: a thread in clock_nanosleep() on the process' processor clock.
class Pulse {
  public:
    /// Writes to `wake_fd` (an eventfd) after it set `beat`. Both must outlive this.
    Pulse(int wake_fd, std::atomic<bool>& beat);
    ~Pulse();
    Pulse(const Pulse&) = delete;
    Pulse& operator=(const Pulse&) = delete;

    /// False where the kernel has no such clock: look by the wall clock instead.
    [[nodiscard]] bool works() const { return works_; }

  private:
    int wake_fd_;
    std::atomic<bool>& beat_;
    std::atomic<bool> works_ = true;
    bool started_ = false;
    pthread_t thread_{};
    static void* run(void* self);
};

}  // namespace clarity::wire
