#include "protocol/mesh/suspicion.hpp"

#include <algorithm>
#include <cmath>

namespace clarity::mesh {

Suspicion::Suspicion(std::int64_t start_ms, std::int64_t min_ms, std::int64_t max_ms,
                     std::uint32_t confirmations)
    : start_ms_(start_ms), min_ms_(min_ms), max_ms_(max_ms), confirmations_(confirmations) {}

bool Suspicion::accuse(std::uint64_t accuser) {
    if (accusers_.size() > confirmations_) return false;
    if (std::find(accusers_.begin(), accusers_.end(), accuser) != accusers_.end()) return false;
    accusers_.push_back(accuser);
    return true;
}

void Suspicion::left_according_to(std::uint64_t relayer) {
    const bool first_word = accusers_.empty();
    if (first_word || (left_relayer_ != 0 && left_relayer_ != relayer)) leaving_ = true;
    left_relayer_ = relayer;
}

std::int64_t Suspicion::deadline(double patience) const {
    auto length = static_cast<double>(min_ms_);
    if (confirmations_ != 0) {
        const auto confirmed = accusers_.empty() ? 0 : accusers_.size() - 1;
        const double share = std::log(static_cast<double>(confirmed) + 1.0) /
                             std::log(static_cast<double>(confirmations_) + 1.0);
        const auto cut = std::floor(static_cast<double>(max_ms_ - min_ms_) * share);
        length = std::max(length, static_cast<double>(max_ms_) - cut);
    }
    return start_ms_ + static_cast<std::int64_t>(length * patience);
}

}  // namespace clarity::mesh
