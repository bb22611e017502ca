#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "protocol/mesh/mesh.hpp"

namespace clarity::sim {

/// What every running node thinks of every other one, kept from their MemberChanged effects: a
/// byte for each pair, and counts by which questions about everybody cost O(1).
class Views {
  public:
    explicit Views(std::size_t nodes)
        : nodes_(nodes), up_(nodes), state_(nodes * nodes), count_(nodes) {}

    /// The observer starts, and knows nobody.
    void start(std::size_t observer) {
        stop(observer);
        up_[observer] = true;
        for (std::size_t subject = 0; subject < nodes_; ++subject) {
            if (subject != observer) ++count_[subject][0];
        }
    }
    /// The observer is down: it counts no longer.
    void stop(std::size_t observer) {
        if (!up_[observer]) return;
        up_[observer] = false;
        for (std::size_t subject = 0; subject < nodes_; ++subject) {
            auto& state = state_[observer * nodes_ + subject];
            if (subject != observer) --count_[subject][state];
            state = 0;
        }
    }
    /// Returns what it was.
    mesh::State set(std::size_t observer, std::size_t subject, mesh::State state) {
        auto& now = state_[observer * nodes_ + subject];
        const auto before = static_cast<mesh::State>(now);
        if (observer == subject) return before;
        --count_[subject][now];
        now = static_cast<std::uint8_t>(state);
        ++count_[subject][now];
        return before;
    }
    [[nodiscard]] mesh::State at(std::size_t observer, std::size_t subject) const {
        return static_cast<mesh::State>(state_[observer * nodes_ + subject]);
    }
    /// How many running nodes, other than itself, see the subject in this state.
    [[nodiscard]] std::size_t count(std::size_t subject, mesh::State state) const {
        return count_[subject][static_cast<std::size_t>(state)];
    }

  private:
    std::size_t nodes_;
    std::vector<bool> up_;
    std::vector<std::uint8_t> state_;
    std::vector<std::array<std::uint32_t, 5>> count_;
};

}  // namespace clarity::sim
