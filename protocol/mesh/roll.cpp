#include "protocol/mesh/roll.hpp"

#include <algorithm>
#include <bit>
#include <numeric>

#include "protocol/mesh/random.hpp"

namespace clarity::mesh {
namespace {

constexpr Index free_slot = ~Index{0};

}  // namespace

std::shared_ptr<const Roll> Roll::make(std::vector<std::string> ids) {
    std::shared_ptr<Roll> out(new Roll);
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    out->slots_.assign(std::bit_ceil(2 * ids.size() + 2), free_slot);
    std::uint64_t hash = 0;
    for (auto& id : ids) {
        const auto key = key_of(id);
        // Two ids of one key: the roster's owner would have to search for 2^32 of them.
        if (id.empty() || out->find_key(key) || out->ids_.size() == roll_max) continue;
        auto slot = key & (out->slots_.size() - 1);
        while (out->slots_[slot] != free_slot) slot = (slot + 1) & (out->slots_.size() - 1);
        out->slots_[slot] = static_cast<Index>(out->ids_.size());
        out->ids_.push_back(std::move(id));
        out->keys_.push_back(key);
        hash = mix(hash, key);
    }
    out->hash_ = static_cast<std::uint32_t>(hash);
    for (std::size_t r = 0; r < ring_count; ++r) {
        auto& ring = out->rings_[r];
        ring.order.resize(out->ids_.size());
        std::iota(ring.order.begin(), ring.order.end(), Index{0});
        const auto place = [&](Index i) { return mix(r + 1, out->keys_[i]); };
        std::sort(ring.order.begin(), ring.order.end(), [&](Index a, Index b) {
            return place(a) != place(b) ? place(a) < place(b) : a < b;
        });
        ring.position.resize(ring.order.size());
        for (std::size_t at = 0; at < ring.order.size(); ++at) {
            ring.position[ring.order[at]] = static_cast<Index>(at);
        }
    }
    return out;
}

std::optional<Index> Roll::find_key(MemberKey key) const {
    for (auto slot = key & (slots_.size() - 1);; slot = (slot + 1) & (slots_.size() - 1)) {
        if (slots_[slot] == free_slot) return std::nullopt;
        if (keys_[slots_[slot]] == key) return slots_[slot];
    }
}

std::optional<Index> Roll::find(std::string_view id) const {
    const auto found = find_key(key_of(id));
    if (!found || ids_[*found] != id) return std::nullopt;
    return found;
}

}  // namespace clarity::mesh
