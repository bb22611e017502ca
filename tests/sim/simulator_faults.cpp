// Processes and machines: what starts, stops, stalls and comes back.
#include <fmt/format.h>

#include <algorithm>

#include "protocol/mesh/frame.hpp"
#include "protocol/mesh/site.hpp"
#include "tests/sim/simulator.hpp"

namespace clarity::sim {
namespace {

constexpr std::uint64_t hint_spread_ms = 5;  ///< until the kernel's reset has arrived

}  // namespace

void Simulator::start_all() {
    for (std::size_t i = 0; i < nodes_.size(); ++i) start(i);
}

void Simulator::warm_start() {
    start_all();
    std::vector<std::shared_ptr<const Bytes>> frames;
    for (std::size_t first = 0; first < nodes_.size(); first += mesh::updates_max) {
        mesh::Frame frame;
        frame.site = mesh::site_hash(nodes_[0].site);
        frame.incarnation = 1;
        const auto end = std::min(nodes_.size(), first + mesh::updates_max);
        for (std::size_t i = first; i < end; ++i) {
            frame.updates.push_back({mesh::key_of(nodes_[i].id), mesh::State::alive, 1, 0});
        }
        frames.push_back(std::make_shared<const Bytes>(mesh::encode_frame(std::move(frame))));
    }
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        const auto from = static_cast<std::uint32_t>((i + 1) % nodes_.size());
        for (const auto& frame : frames) {
            events_.push(now_ms_,
                         {Kind::frame, false, false, static_cast<std::uint32_t>(i), from, frame});
        }
    }
}

void Simulator::crash(std::size_t i) {
    auto& node = nodes_[i];
    if (!node.mesh) return;
    tell(node.id + " goes down");
    node.mesh.reset();
    node.frozen_until_ms = node.lag_ms = 0;
    node.impaired_until_ms = for_ever;
    node.held = 0;
    --up_;
    views_.stop(i);
    observer_->crashed(i);
    if (!settings_.hints) return;
    for (std::size_t peer = 0; peer < nodes_.size(); ++peer) {
        if (!nodes_[peer].mesh) continue;
        const auto active = nodes_[peer].mesh->active_peers();
        if (std::find(active.begin(), active.end(), node.id) == active.end()) continue;
        const auto delay = static_cast<std::int64_t>(1 + random_.below(hint_spread_ms));
        events_.push(now_ms_ + delay, {Kind::hint, false, false, static_cast<std::uint32_t>(peer),
                                       static_cast<std::uint32_t>(i), nullptr});
    }
}

void Simulator::restart(std::size_t i, bool lost_disk) {
    crash(i);
    if (lost_disk) nodes_[i].disk = {};
    tell(fmt::format("{} starts{}", nodes_[i].id, lost_disk ? ", without its disk" : ""));
    start(i);
}

void Simulator::leave(std::size_t i) {
    tell(nodes_[i].id + " leaves");
    nodes_[i].mesh->leave(clock(nodes_[i]));
    carry_out(i);
    const auto hints = std::exchange(settings_.hints, false);  // it closes its connections
    crash(i);
    settings_.hints = hints;
}

void Simulator::freeze(std::size_t i, std::int64_t ms) {
    auto& node = nodes_[i];
    tell(fmt::format("{} stands still for {} ms", node.id, ms));
    node.frozen_until_ms = std::max(node.frozen_until_ms, now_ms_ + ms);
    if (node.impaired_until_ms != for_ever) {
        node.impaired_until_ms = std::max(node.impaired_until_ms, node.frozen_until_ms);
    }
}

void Simulator::slow_down(std::size_t i, std::int64_t lag_ms) {
    auto& node = nodes_[i];
    tell(fmt::format("{} lags by {} ms", node.id, lag_ms));
    node.lag_ms = lag_ms;
    mark(node);
}

void Simulator::jump_clock(std::size_t i, std::int64_t ms) {
    tell(fmt::format("the clock of {} jumps by {} ms", nodes_[i].id, ms));
    nodes_[i].clock_ahead_ms += ms;
    wake(i);
}

void Simulator::cut(std::size_t from, std::size_t to) {
    tell(fmt::format("{} cannot reach {}", nodes_[from].id, nodes_[to].id));
    network_.cut(from, to);
}

void Simulator::partition(std::vector<int> group_of) {
    std::string groups;
    for (const auto group : group_of) groups += std::to_string(group);
    tell("partition: groups " + groups);
    network_.partition(now_ms_, std::move(group_of));
}

void Simulator::isolate(std::size_t i, bool mute, bool deaf) {
    tell(fmt::format("{} is{} mute and is{} deaf", nodes_[i].id, mute ? "" : " not",
                     deaf ? "" : " not"));
    network_.set_mute(i, mute);
    network_.set_deaf(i, deaf);
    mark(nodes_[i]);
}

/// How it is from now on.
void Simulator::mark(Node& node) {
    if (!node.mesh) return;
    const auto i = static_cast<std::size_t>(&node - nodes_.data());
    const bool ill = node.lag_ms > 0 || network_.isolated(i);
    node.impaired_until_ms = node.deaf_until_ms = ill ? for_ever : now_ms_;
}

void Simulator::heal() {
    tell("network and machines are well");
    network_.heal(now_ms_);
    for (auto& node : nodes_) {
        node.frozen_until_ms = std::min(node.frozen_until_ms, now_ms_);
        node.lag_ms = 0;
        if (!node.mesh) continue;
        node.impaired_until_ms = std::min(node.impaired_until_ms, now_ms_);
        node.deaf_until_ms = std::min(node.deaf_until_ms, now_ms_);
    }
}

void Simulator::set_roster(const std::vector<std::size_t>& members, std::int64_t spread_ms) {
    Roster roster;
    roster.has.assign(nodes_.size(), false);
    std::vector<std::string> ids;
    for (const auto i : members) {
        ids.push_back(nodes_[i].id);
        roster.has[i] = true;
    }
    roster.roll = mesh::Roll::make(std::move(ids));
    rosters_.push_back(std::move(roster));
    const auto version = rosters_.size() - 1;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        const auto give = [this, i, version] {
            if (nodes_[i].roster >= version) return;
            give_roster(i, version);
            if (nodes_[i].mesh) carry_out(i);
        };
        if (spread_ms == 0) give();
        else
            at(now_ms_ +
                   static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(spread_ms))),
               give);
    }
}

bool Simulator::in_roster(std::size_t observer, std::size_t subject) const {
    return rosters_[nodes_[observer].roster].has[subject];
}

void Simulator::corrupt(std::size_t i, std::unique_ptr<Adversary> adversary) {
    tell(nodes_[i].id + " turns malicious");
    const bool ticking = nodes_[i].adversary != nullptr;
    nodes_[i].adversary = std::move(adversary);
    const auto to = static_cast<std::uint32_t>(i);
    if (!ticking) events_.push(now_ms_ + 1, {Kind::tick, false, false, to, to, nullptr});
}

void Simulator::at(std::int64_t at_ms, std::function<void()> what) {
    calls_.emplace(++next_call_, std::move(what));
    events_.push(at_ms, {Kind::call, false, false, 0, next_call_, nullptr});
}

}  // namespace clarity::sim
