#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>

namespace clarity::swarm {

/// One thread, started by the first job, that runs jobs in the order they came. The destructor asks
/// the running job to stop, drops those that wait and joins.
class Worker {
  public:
    using Job = std::function<void(std::stop_token)>;

    /// Any thread.
    void submit(Job job) {
        const std::lock_guard lock(mutex_);
        jobs_.push_back(std::move(job));
        if (!thread_.joinable()) {
            thread_ = std::jthread([this](std::stop_token stop) { run(stop); });
        }
        wake_.notify_one();
    }

  private:
    std::mutex mutex_;
    std::condition_variable_any wake_;
    std::deque<Job> jobs_;
    std::jthread thread_;  ///< last: joined before the rest goes

    void run(std::stop_token stop) {
        while (true) {
            Job job;
            {
                std::unique_lock lock(mutex_);
                if (!wake_.wait(lock, stop, [this] { return !jobs_.empty(); })) return;
                if (stop.stop_requested()) return;
                job = std::move(jobs_.front());
                jobs_.pop_front();
            }
            job(stop);
        }
    }
};

}  // namespace clarity::swarm
