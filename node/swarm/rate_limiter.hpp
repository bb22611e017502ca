#pragma once

#include <algorithm>
#include <cstdint>
#include <mutex>

namespace clarity::swarm {

/// A token bucket shared by all fetches. Any thread; time is an argument (steady microseconds).
class RateLimiter {
  public:
    /// 0 = no limit.
    explicit RateLimiter(std::uint64_t bytes_s) : bytes_s_(static_cast<std::int64_t>(bytes_s)) {}

    /// Takes `bytes` and returns how long the caller is to wait before it goes on. A tenth of a
    /// second's worth may come at once.
    [[nodiscard]] std::int64_t take_us(std::size_t bytes, std::int64_t now_us) {
        if (bytes_s_ == 0) return 0;
        const std::lock_guard lock(mutex_);
        free_at_us_ = std::max(free_at_us_, now_us - burst_us);
        free_at_us_ += static_cast<std::int64_t>(bytes) * 1'000'000 / bytes_s_;
        return std::max<std::int64_t>(0, free_at_us_ - now_us);
    }

  private:
    static constexpr std::int64_t burst_us = 100'000;
    const std::int64_t bytes_s_;
    std::mutex mutex_;
    std::int64_t free_at_us_ = 0;
};

}  // namespace clarity::swarm
