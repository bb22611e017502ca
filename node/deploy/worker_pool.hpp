#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

namespace clarity {

/// A fixed number of threads for blocking work. Jobs run in order of arrival; those not begun are
/// dropped when it is destroyed, those begun are waited for.
class WorkerPool {
  public:
    explicit WorkerPool(std::uint32_t threads) {
        for (std::uint32_t i = 0; i < threads; ++i) {
            threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
        }
    }
    ~WorkerPool() {
        for (auto& each : threads_) each.request_stop();
        wake_.notify_all();
    }
    WorkerPool(const WorkerPool&) = delete;
    WorkerPool& operator=(const WorkerPool&) = delete;

    void post(std::function<void()> job) {
        {
            const std::lock_guard lock(mutex_);
            jobs_.push_back(std::move(job));
        }
        wake_.notify_one();
    }

  private:
    std::mutex mutex_;
    std::condition_variable_any wake_;
    std::deque<std::function<void()>> jobs_;
    std::vector<std::jthread> threads_;  // last: joined before the rest goes

    void work(const std::stop_token& stop) {
        for (;;) {
            std::function<void()> job;
            {
                std::unique_lock lock(mutex_);
                wake_.wait(lock, stop, [this] { return !jobs_.empty(); });
                if (stop.stop_requested()) return;
                job = std::move(jobs_.front());
                jobs_.pop_front();
            }
            job();
        }
    }
};

}  // namespace clarity
