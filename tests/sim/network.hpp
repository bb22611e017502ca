#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include "protocol/mesh/random.hpp"

namespace clarity::sim {

/// How the network treats each frame. Harsher than TCP, which loses and reorders nothing on a
/// connection that lasts: what holds here holds there.
struct NetworkSettings {
    double loss = 0;                   ///< of each frame
    double duplicates = 0;             ///< of each frame
    double reorder = 0;                ///< of each frame: comes up to `reorder_ms` later
    std::int64_t reorder_ms = 500;     ///<
    std::int64_t delay_min_ms = 1;     ///<
    std::int64_t delay_spread_ms = 5;  ///< uniform on top of it: frames overtake each other
};

/// Who reaches whom, and when. Owns no frame and no clock: told of a frame, it says when the
/// copies of it arrive. Nodes are dense indices.
class Network {
  public:
    /// When the copies of one frame arrive; none = lost.
    struct Arrivals {
        std::array<std::int64_t, 2> at_ms{};
        std::size_t count = 0;
    };

    Network(NetworkSettings settings, std::size_t nodes, std::uint64_t seed);

    NetworkSettings settings;  ///< may be changed at any time

    [[nodiscard]] Arrivals carry(std::int64_t now_ms, std::size_t from, std::size_t to);
    /// Would a frame pass, were it not lost by chance?
    [[nodiscard]] bool passes(std::size_t from, std::size_t to) const;

    /// Frames pass only within a group; empty = the network is whole.
    void partition(std::int64_t now_ms, std::vector<int> group_of);
    /// One-way cut of a single link, and its repair.
    void cut(std::size_t from, std::size_t to) { cuts_.emplace(from, to); }
    void mend(std::size_t from, std::size_t to) { cuts_.erase({from, to}); }
    /// All that this node sends, or is sent, is lost.
    void set_mute(std::size_t node, bool mute) { mute_[node] = mute; }
    void set_deaf(std::size_t node, bool deaf) { deaf_[node] = deaf; }
    [[nodiscard]] bool isolated(std::size_t node) const { return mute_[node] || deaf_[node]; }
    /// No partition, no cut, nobody mute or deaf; loss and delay stay.
    void heal(std::int64_t now_ms);

    /// Are, or were within the last `grace_ms`, these two in different groups? Just after groups
    /// were made nobody's peers may be left in its own, so then this is so for all.
    [[nodiscard]] bool separated(std::int64_t now_ms, std::int64_t grace_ms, std::size_t a,
                                 std::size_t b) const;
    [[nodiscard]] bool partitioned() const { return !group_of_.empty(); }

  private:
    mesh::Random random_;
    std::vector<int> group_of_;
    std::int64_t parted_ms_ = 0;                                     // when these groups were made
    std::vector<std::pair<std::int64_t, std::vector<int>>> former_;  // and when they ended
    std::set<std::pair<std::size_t, std::size_t>> cuts_;
    std::vector<bool> mute_;
    std::vector<bool> deaf_;

    [[nodiscard]] bool chance(double p);
};

}  // namespace clarity::sim
