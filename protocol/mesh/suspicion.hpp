#pragma once

#include <cstdint>
#include <vector>

namespace clarity::mesh {

/// How long a suspected member has to refute: long after one accusation, shorter with each further
/// independent accuser, so that one sick node cannot have a healthy one buried.
/// Source: Lifeguard, section IV-B ("LHA-Suspicion").
class Suspicion {
  public:
    /// `confirmations`: how many accusers beyond the first bring the time down to `min_ms`.
    Suspicion(std::int64_t start_ms, std::int64_t min_ms, std::int64_t max_ms,
              std::uint32_t confirmations);

    /// True when this accuser is new and counts.
    bool accuse(std::uint64_t accuser);
    [[nodiscard]] std::int64_t deadline() const;
    /// Moves the end: we were asleep, or there is fresh evidence of life.
    void extend(std::int64_t by_ms) { start_ms_ += by_ms; }
    [[nodiscard]] const std::vector<std::uint64_t>& accusers() const { return accusers_; }

  private:
    std::int64_t start_ms_;
    std::int64_t min_ms_;
    std::int64_t max_ms_;
    std::uint32_t confirmations_;
    std::vector<std::uint64_t> accusers_;
};

/// The shortest suspicion for a site of `members`: grows with log N, as rumours take longer.
[[nodiscard]] std::int64_t suspicion_min_ms(std::size_t members, std::int64_t floor_ms,
                                            std::int64_t probe_interval_ms);

}  // namespace clarity::mesh
