#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <mutex>
#include <optional>

namespace clarity::swarm {

/// A token bucket shared by all fetches, and what is left of the day's budget. Any thread; time is
/// an argument (steady microseconds).
class RateLimiter {
  public:
    /// 0 = no limit.
    explicit RateLimiter(std::uint64_t bytes_s) : bytes_s_(static_cast<std::int64_t>(bytes_s)) {}

    /// Takes `bytes` and returns how long the caller is to wait before it goes on. A tenth of a
    /// second's worth may come at once.
    [[nodiscard]] std::int64_t take_us(std::size_t bytes, std::int64_t now_us) {
        const std::lock_guard lock(mutex_);
        left_bytes_ -= std::min(left_bytes_, static_cast<std::int64_t>(bytes));
        if (bytes_s_ == 0) return 0;
        free_at_us_ = std::max(free_at_us_, now_us - burst_us);
        free_at_us_ += static_cast<std::int64_t>(bytes) * 1'000'000 / bytes_s_;
        return std::max<std::int64_t>(0, free_at_us_ - now_us);
    }

    /// How much may come from now on; nothing = without end.
    void set_left(std::optional<std::uint64_t> bytes) {
        const auto most = static_cast<std::uint64_t>(endless_);
        const std::lock_guard lock(mutex_);
        left_bytes_ = bytes ? static_cast<std::int64_t>(std::min(*bytes, most - 1)) : endless_;
    }
    /// No request is to begin or to go on.
    [[nodiscard]] bool used_up() const {
        const std::lock_guard lock(mutex_);
        return left_bytes_ == 0;
    }

    [[nodiscard]] std::uint64_t limit_bytes_s() const {
        return static_cast<std::uint64_t>(bytes_s_);
    }

  private:
    static constexpr std::int64_t burst_us = 100'000;
    static constexpr std::int64_t endless_ = std::numeric_limits<std::int64_t>::max();
    const std::int64_t bytes_s_;
    mutable std::mutex mutex_;
    std::int64_t free_at_us_ = 0;
    std::int64_t left_bytes_ = endless_;
};

}  // namespace clarity::swarm
