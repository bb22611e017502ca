#pragma once

#include <cstdint>
#include <vector>

namespace clarity::mesh {

/// How long a suspected member has to refute: long after one accusation, shorter with each further
/// independent accuser, never shorter than the minimum, so that neither a sick node nor a lying one
/// can have a healthy one buried. Source: Lifeguard, section IV-B ("LHA-Suspicion").
class Suspicion {
  public:
    /// `confirmations`: how many accusers beyond the first bring the time down to `min_ms`.
    Suspicion(std::int64_t start_ms, std::int64_t min_ms, std::int64_t max_ms,
              std::uint32_t confirmations);

    /// True when this accuser is new and counts.
    bool accuse(std::uint64_t accuser);
    /// `relayer` says that the member said good-bye.
    void left_according_to(std::uint64_t relayer);
    /// It ends in `left`: that is how it began, or two say so. One alone cannot pass a crash off as
    /// a good-bye.
    [[nodiscard]] bool leaving() const { return leaving_; }
    /// `patience` ≥ 1 stretches the whole of it.
    [[nodiscard]] std::int64_t deadline(double patience = 1) const;
    /// Moves the end: there is fresh evidence of life.
    void extend(std::int64_t by_ms) { start_ms_ += by_ms; }
    /// We were asleep: a refutation may long be under way to us, so all the time counts anew.
    void restart(std::int64_t now_ms) { start_ms_ = now_ms; }
    /// A frame of the suspect itself came in.
    void heard(std::int64_t now_ms) { heard_ms_ = now_ms; }
    [[nodiscard]] std::int64_t heard_ms() const { return heard_ms_; }  ///< -1 = never
    [[nodiscard]] const std::vector<std::uint64_t>& accusers() const { return accusers_; }

  private:
    std::int64_t start_ms_;
    std::int64_t min_ms_;
    std::int64_t max_ms_;
    std::uint32_t confirmations_;
    std::vector<std::uint64_t> accusers_;
    std::int64_t heard_ms_ = -1;
    std::uint64_t left_relayer_ = 0;
    bool leaving_ = false;
};

}  // namespace clarity::mesh
