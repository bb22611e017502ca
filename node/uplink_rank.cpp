#include "node/uplink_rank.hpp"

#include <algorithm>
#include <map>

#include "protocol/sha256.hpp"

namespace clarity {
namespace {

Digest weight(const std::string& site, const std::string& server) {
    return sha256("uplink\n" + site + "\n" + server);
}

}  // namespace

std::vector<std::string> uplink_ranking(const std::string& site, std::vector<std::string> servers) {
    std::map<std::string, Digest> weights;
    for (const auto& server : servers) weights[server] = weight(site, server);
    std::sort(servers.begin(), servers.end(),
              [&](const auto& a, const auto& b) { return weights.at(a) < weights.at(b); });
    return servers;
}

UplinkDecision::UplinkDecision(UplinkSettings settings, std::string site, std::string self)
    : settings_(settings), site_(std::move(site)), self_(std::move(self)) {}

/// When the node `behind` the first ones begins to try, from when too few were seen to reach it.
std::int64_t UplinkDecision::turn_ms(std::size_t behind) const {
    std::int64_t at = settings_.first_ms;
    std::size_t size = 1;
    bool doubled = true;  // the second window has one node too
    for (std::size_t end = size; behind >= end; end += size) {
        at += settings_.window_ms;
        if (!doubled) size = std::min(size * 2, settings_.window_max);
        doubled = false;
    }
    return at;
}

bool UplinkDecision::is_our_turn(std::int64_t now_ms, std::size_t behind, std::size_t last) {
    const auto since = now_ms - needed_ms_;
    if (since >= turn_ms(last) + settings_.try_ms + pause_ms_) {
        needed_ms_ = now_ms;
        pause_ms_ = std::clamp(pause_ms_ * 2, settings_.pause_ms, settings_.pause_max_ms);
        return false;
    }
    const auto begin = turn_ms(behind);
    return since >= begin && since < begin + settings_.try_ms;
}

const Digest& UplinkDecision::weight_of(const std::string& server) {
    const auto at = weights_.find(server);
    if (at != weights_.end()) return at->second;
    return weights_.emplace(server, weight(site_, server)).first->second;
}

bool UplinkDecision::step(std::int64_t now_ms, const std::vector<UplinkCandidate>& members,
                          bool reaches) {
    if (weights_.size() > 2 * members.size() + 16) weights_.clear();  // of servers long gone
    const auto own = weight_of(self_);
    std::size_t others = 0;
    std::size_t rank = 0;
    std::size_t reaching_above = 0;
    for (const auto& member : members) {
        if (member.server_id == self_ || !member.alive) continue;
        ++others;
        if (weight_of(member.server_id) >= own) continue;
        ++rank;
        reaching_above += member.reaches_coordinator ? 1U : 0U;
    }
    primary_ = reaching_above == 0;
    if (reaching_above >= settings_.wanted) {
        needed_ms_ = -1;
        pause_ms_ = settings_.pause_ms;
        if (!holding_ || unneeded_ms_ < 0) unneeded_ms_ = now_ms;
        // What works is kept for a while: those above us may only have come back for a moment.
        if (!reaches || now_ms - unneeded_ms_ >= settings_.release_ms) holding_ = false;
        return holding_;
    }
    unneeded_ms_ = -1;
    if (rank < settings_.wanted) {
        needed_ms_ = -1;
        return holding_ = true;
    }
    if (needed_ms_ < 0 || reaches) needed_ms_ = now_ms;
    return holding_ =
               reaches || is_our_turn(now_ms, rank - settings_.wanted, others - settings_.wanted);
}

}  // namespace clarity
