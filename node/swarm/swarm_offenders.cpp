// Who sent wrong pieces: named, and shut out.
#include "node/swarm/swarm_impl.hpp"
#include "protocol/log/log.hpp"

namespace clarity {

void Swarm::Impl::caught(const Digest& sha256, const std::string& address) {
    std::vector<std::string> names;
    for (const auto& peer : peers_) {
        if (peer.server_id == settings_.server_id) continue;
        bool there = swarm::is_at(peer.endpoint, address);
        for (const auto& other : peer.others) there |= swarm::is_at(other, address);
        if (there) names.push_back(peer.server_id);
    }
    const Item* item = find(sha256);
    const auto what =
        item == nullptr ? sha256.hex() : item->manifest->artifact + "@" + item->manifest->version;
    if (names.size() != 1) {  // members that share an address cannot be told apart
        log::warning(
            "swarm: {} sent pieces of {} whose hashes are wrong; it is shut out of that "
            "artifact ({})",
            address, what,
            names.empty() ? "no member is known there" : "several members are there");
        return;
    }
    const auto barred_ms = offenders_.note(names[0], swarm_now_ms());
    log::warning(
        "swarm: {} at {} sent pieces of {} whose hashes are wrong; it is shut out for {} "
        "h: is its disk broken, or somebody else in it?",
        names[0], address, what, barred_ms / 3'600'000);
    let_in();
    for (auto& [digest, each] : items_) elect(each);
}

/// Tells the session which addresses may connect.
void Swarm::Impl::let_in() {
    std::vector<std::string> endpoints;
    for (const auto& peer : peers_) {
        if (offenders_.barred(peer.server_id, swarm_now_ms())) continue;
        endpoints.push_back(peer.endpoint);
        endpoints.insert(endpoints.end(), peer.others.begin(), peer.others.end());
    }
    session_->allow(endpoints);
}

}  // namespace clarity
