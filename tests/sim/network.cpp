#include "tests/sim/network.hpp"

namespace clarity::sim {
namespace {

constexpr std::size_t former_max = 8;

bool differ(const std::vector<int>& group_of, std::size_t a, std::size_t b) {
    return !group_of.empty() && group_of[a] != group_of[b];
}

}  // namespace

Network::Network(NetworkSettings s, std::size_t nodes, std::uint64_t seed)
    : settings(s), random_(seed), mute_(nodes), deaf_(nodes) {}

bool Network::chance(double p) {
    return p > 0 && static_cast<double>(random_.next() >> 11U) * 0x1.0p-53 < p;
}

bool Network::passes(std::size_t from, std::size_t to) const {
    if (mute_[from] || deaf_[to] || differ(group_of_, from, to)) return false;
    return cuts_.empty() || !cuts_.contains({from, to});
}

Network::Arrivals Network::carry(std::int64_t now_ms, std::size_t from, std::size_t to) {
    Arrivals out;
    if (!passes(from, to) || chance(settings.loss)) return out;
    out.count = chance(settings.duplicates) ? 2 : 1;
    for (std::size_t copy = 0; copy < out.count; ++copy) {
        const auto spread = static_cast<std::uint64_t>(settings.delay_spread_ms) + 1;
        auto delay = settings.delay_min_ms + static_cast<std::int64_t>(random_.below(spread));
        if (chance(settings.reorder)) {
            const auto more = static_cast<std::uint64_t>(settings.reorder_ms);
            delay += static_cast<std::int64_t>(random_.below(more));
        }
        out.at_ms[copy] = now_ms + delay;
    }
    return out;
}

void Network::partition(std::int64_t now_ms, std::vector<int> group_of) {
    if (!group_of_.empty()) former_.emplace_back(now_ms, std::move(group_of_));
    if (former_.size() > former_max) former_.erase(former_.begin());
    group_of_ = std::move(group_of);
    if (partitioned()) parted_ms_ = now_ms;
}

void Network::heal(std::int64_t now_ms) {
    partition(now_ms, {});
    cuts_.clear();
    mute_.assign(mute_.size(), false);
    deaf_.assign(deaf_.size(), false);
}

bool Network::separated(std::int64_t now_ms, std::int64_t grace_ms, std::size_t a,
                        std::size_t b) const {
    if (differ(group_of_, a, b)) return true;
    if (now_ms - parted_ms_ < grace_ms) return true;
    for (const auto& [ended_ms, groups] : former_) {
        if (now_ms - ended_ms < grace_ms && differ(groups, a, b)) return true;
    }
    return false;
}

}  // namespace clarity::sim
