#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

namespace clarity {

/// At most so many threads for blocking work, each started when all before it are busy. Jobs run in
/// order of arrival; those not begun are dropped when it is destroyed, those begun are waited for.
class WorkerPool {
  public:
    explicit WorkerPool(std::uint32_t threads_max) : threads_max_(threads_max) {}
    ~WorkerPool() {
        // Nobody posts any more.
        for (auto& each : threads_) each.request_stop();
        wake_.notify_all();
    }
    WorkerPool(const WorkerPool&) = delete;
    WorkerPool& operator=(const WorkerPool&) = delete;

    void post(std::function<void()> job) {
        {
            const std::lock_guard lock(mutex_);
            jobs_.push_back(std::move(job));
            if (jobs_.size() > idle_ && threads_.size() < threads_max_) {
                threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
            }
        }
        wake_.notify_one();
    }

  private:
    std::mutex mutex_;
    std::condition_variable_any wake_;
    std::deque<std::function<void()>> jobs_;
    std::size_t threads_max_;
    std::size_t idle_ = 0;               ///< threads that wait for a job
    std::vector<std::jthread> threads_;  // last: joined before the rest goes

    void work(const std::stop_token& stop) {
        for (;;) {
            std::function<void()> job;
            {
                std::unique_lock lock(mutex_);
                ++idle_;
                wake_.wait(lock, stop, [this] { return !jobs_.empty(); });
                --idle_;
                if (stop.stop_requested()) return;
                job = std::move(jobs_.front());
                jobs_.pop_front();
            }
            job();
        }
    }
};

}  // namespace clarity
