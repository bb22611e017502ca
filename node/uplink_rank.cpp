#include "node/uplink_rank.hpp"

#include <algorithm>
#include <map>

#include "protocol/sha256.hpp"

namespace clarity {

std::vector<std::string> uplink_ranking(const std::string& site, std::vector<std::string> servers) {
    std::map<std::string, Digest> weight;
    for (const auto& server : servers) weight[server] = sha256("uplink\n" + site + "\n" + server);
    std::sort(servers.begin(), servers.end(),
              [&](const auto& a, const auto& b) { return weight.at(a) < weight.at(b); });
    return servers;
}

UplinkDecision::UplinkDecision(UplinkSettings settings, std::string site, std::string self)
    : settings_(settings), site_(std::move(site)), self_(std::move(self)) {}

bool UplinkDecision::step(std::int64_t now_ms, const std::vector<UplinkCandidate>& members) {
    std::vector<std::string> alive{self_};
    std::map<std::string, bool> reaches;
    for (const auto& member : members) {
        if (member.server_id == self_ || !member.alive) continue;
        alive.push_back(member.server_id);
        reaches[member.server_id] = member.reaches_coordinator;
    }
    const auto ranking = uplink_ranking(site_, std::move(alive));
    std::size_t rank = 0;
    std::size_t reaching_above = 0;
    for (; rank < ranking.size() && ranking[rank] != self_; ++rank) {
        reaching_above += reaches[ranking[rank]] ? 1U : 0U;
    }
    const bool needed = reaching_above < settings_.wanted;
    if (needed == holding_) {
        since_ms_ = -1;
        return holding_;
    }
    if (since_ms_ < 0) since_ms_ = now_ms;
    const auto behind = rank < settings_.wanted ? 0U : rank - settings_.wanted + 1;
    const auto delay = needed ? std::min(static_cast<std::int64_t>(behind) * settings_.step_ms,
                                         settings_.wait_max_ms)
                              : settings_.release_ms;
    if (now_ms - since_ms_ >= delay) {
        holding_ = needed;
        since_ms_ = -1;
    }
    return holding_;
}

}  // namespace clarity
