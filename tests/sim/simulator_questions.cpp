// Questions about everybody that is up.
#include <algorithm>

#include "tests/sim/simulator.hpp"

namespace clarity::sim {

using mesh::State;

State Simulator::state_at(std::size_t observer, std::size_t subject) const {
    return nodes_[observer].mesh->state_of(nodes_[subject].id);
}

bool Simulator::any_adversary() const {
    return std::any_of(nodes_.begin(), nodes_.end(),
                       [](const Node& node) { return node.adversary != nullptr; });
}

bool Simulator::all_see(std::size_t subject, State state) const {
    return views_.count(subject, state) == up_ - (up(subject) ? 1 : 0);
}

bool Simulator::all_see_all_alive() const {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        if (up(i) && !all_see(i, State::alive)) return false;
    }
    return true;
}

std::uint64_t Simulator::payload_at(std::size_t observer, std::size_t owner) {
    const auto found = nodes_[observer].mesh->records().find(nodes_[owner].id);
    return found ? payload_of(found->bytes) : 0;
}

bool Simulator::all_have_record(std::size_t owner, std::uint64_t payload) {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        if (up(i) && payload_at(i, owner) != payload) return false;
    }
    return true;
}

std::size_t Simulator::count_with_document(const Digest& digest) const {
    return static_cast<std::size_t>(std::count_if(
        nodes_.begin(), nodes_.end(),
        [&](const Node& node) { return node.mesh && node.disk.documents.contains(digest); }));
}

bool Simulator::all_have_document(const Digest& digest) const {
    return count_with_document(digest) == up_;
}

mesh::Counters Simulator::total() const {
    mesh::Counters sum;
    for (const auto& node : nodes_) {
        if (!node.mesh) continue;
        const auto c = node.mesh->counters();
        sum.frames_sent += c.frames_sent;
        sum.bytes_sent += c.bytes_sent;
        sum.dropped_malformed += c.dropped_malformed;
        sum.dropped_site += c.dropped_site;
        sum.dropped_stranger += c.dropped_stranger;
        sum.records_refused += c.records_refused;
        sum.probes += c.probes;
        sum.probes_failed += c.probes_failed;
        sum.refutations += c.refutations;
        sum.local_health += c.local_health;
    }
    return sum;
}

}  // namespace clarity::sim
