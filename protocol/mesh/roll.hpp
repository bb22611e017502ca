#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace clarity::mesh {

/// A member's name in frames (key_of(id)).
using MemberKey = std::uint64_t;
/// A member's position in a Roll.
using Index = std::uint32_t;

/// Rings of the monitoring overlay: each gives a member two peers.
inline constexpr std::size_t ring_count = 4;
/// Far above any roster; a row of the member table has room for this many.
inline constexpr std::size_t roll_max = (std::size_t{1} << 20U) - 1;

/// What follows from the roster alone and never changes: who belongs, by which key, and each
/// member's neighbours on the rings. Built once per roster and shared, by one agent's parts as by
/// ten thousand simulated nodes. Immutable, so any thread may read it.
///
/// Each ring orders the members by a hash of their key, so that the union of the rings is a random
/// 2K-regular graph: an expander with high probability, which a few failures neither cut nor
/// stretch. Source: Suresh et al., "Stable and Consistent Membership at Scale with Rapid", ATC
/// 2018.
class Roll {
  public:
    /// Sorted by id; empty ids and repetitions are dropped, and what is beyond `roll_max`.
    [[nodiscard]] static std::shared_ptr<const Roll> make(std::vector<std::string> ids);

    [[nodiscard]] std::size_t size() const { return ids_.size(); }
    [[nodiscard]] const std::string& id(Index i) const { return ids_[i]; }
    [[nodiscard]] MemberKey key(Index i) const { return keys_[i]; }
    [[nodiscard]] std::optional<Index> find(std::string_view id) const;
    [[nodiscard]] std::optional<Index> find_key(MemberKey key) const;
    /// Equal for equal sets of members: then an Index means the same at both ends.
    [[nodiscard]] std::uint32_t hash() const { return hash_; }

    [[nodiscard]] Index next(std::size_t ring, Index i) const {
        const auto& r = rings_[ring];
        const auto at = r.position[i] + 1;
        return r.order[at == r.order.size() ? 0 : at];
    }
    [[nodiscard]] Index previous(std::size_t ring, Index i) const {
        const auto& r = rings_[ring];
        const auto at = r.position[i];
        return r.order[at == 0 ? r.order.size() - 1 : at - 1];
    }

  private:
    struct Ring {
        std::vector<Index> order;
        std::vector<Index> position;  // of each member in `order`
    };
    Roll() = default;
    std::vector<std::string> ids_;
    std::vector<MemberKey> keys_;
    std::vector<Index> slots_;  // open addressing by key
    std::array<Ring, ring_count> rings_;
    std::uint32_t hash_ = 0;
};

}  // namespace clarity::mesh
