#pragma once

#include <unordered_map>

#include "protocol/mesh/roll.hpp"

namespace clarity::mesh {

/// What answers to one member may cost in a second. A short request can have a long answer (all
/// records, all buckets): whoever asks without end is not answered beyond this, and nobody else
/// notices. Honest members ask for what differs, and ask again.
class AnswerBudget {
  public:
    explicit AnswerBudget(std::uint64_t bytes_max_s) : bytes_max_s_(bytes_max_s) {}

    /// May this member be answered now?
    [[nodiscard]] bool allows(std::int64_t now_ms, MemberKey peer) {
        if (now_ms / 1000 != second_) {
            second_ = now_ms / 1000;
            spent_.clear();
        }
        const auto found = spent_.find(peer);
        return found == spent_.end() || found->second < bytes_max_s_;
    }
    void charge(MemberKey peer, std::uint64_t bytes) {
        if (bytes > 0) spent_[peer] += bytes;
    }

  private:
    std::uint64_t bytes_max_s_;
    std::int64_t second_ = -1;
    std::unordered_map<MemberKey, std::uint64_t> spent_;
};

}  // namespace clarity::mesh
