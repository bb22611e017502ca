// What others see of the member table: samples, the partial view, piggyback and listings.
#include <algorithm>

#include "protocol/mesh/membership.hpp"

namespace clarity::mesh {
namespace {

constexpr std::size_t updates_per_frame = 16;
constexpr std::size_t updates_per_gossip = 128;
constexpr std::size_t heard_recent = 2;
constexpr std::size_t heard_random = 2;
constexpr std::size_t heard_in_digest = 24;  ///< anti-entropy frames carry more
constexpr std::size_t heard_candidates = 2;  ///< the freshest of so many is told
constexpr std::size_t ring_successors = 2;

template <class List, class T>
bool contains(const List& list, const T& value) {
    return std::find(list.begin(), list.end(), value) != list.end();
}

}  // namespace

std::vector<Index> Membership::sample(std::size_t count, std::span<const Index> except) {
    std::vector<Index> out;
    const auto wanted = [&](Index i) {
        return i != self_ && reachable(i) && !contains(except, i) && !contains(out, i);
    };
    // Large and mostly alive: throwing dice is cheaper than walking the table.
    for (std::size_t tries = 0; size() > 64 && tries < 4 * count + 8; ++tries) {
        const auto i = static_cast<Index>(out_.random.below(size()));
        if (out.size() < count && wanted(i)) out.push_back(i);
    }
    if (out.size() >= count || out.size() >= reachable_) return out;
    std::vector<Index> rest;
    for (Index i = 0; i < size(); ++i) {
        if (wanted(i)) rest.push_back(i);
    }
    while (out.size() < count && !rest.empty()) {
        const auto pick = out_.random.below(rest.size());
        out.push_back(rest[pick]);
        rest[pick] = rest.back();
        rest.pop_back();
    }
    return out;
}

std::vector<Index> Membership::sample_lost(std::size_t count, bool unknown_only) {
    std::vector<Index> lost;
    for (Index i = 0; i < size(); ++i) {
        if (i == self_ || reachable(i)) continue;
        if (!unknown_only || members_[i].state == State::unknown) lost.push_back(i);
    }
    std::vector<Index> out;
    while (out.size() < count && !lost.empty()) {
        const auto pick = out_.random.below(lost.size());
        out.push_back(lost[pick]);
        lost[pick] = lost.back();
        lost.pop_back();
    }
    return out;
}

const std::vector<Index>& Membership::active() {
    if (active_stale_) refresh_active();
    return active_;
}

void Membership::refresh_active() {
    active_stale_ = false;
    if (!self_) return active_.clear();
    const std::size_t wanted = std::min<std::size_t>(out_.settings.active_peers, reachable_);
    std::vector<Index> next;
    for (Index step = 1; step < size() && next.size() < std::min(ring_successors, wanted); ++step) {
        const auto i = static_cast<Index>((*self_ + step) % size());
        if (reachable(i)) next.push_back(i);
    }
    for (const auto i : active_) {
        if (next.size() < wanted && reachable(i) && !contains(next, i)) next.push_back(i);
    }
    for (const auto i : sample(wanted - next.size(), next)) next.push_back(i);
    active_ = std::move(next);
}

Update Membership::update_of(const Member& member) {
    Update update{member.key, member.state, member.incarnation, 0};
    if (const auto found = suspicions_.find(member.key); found != suspicions_.end()) {
        const auto& accusers = found->second.accusers();
        if (!accusers.empty()) update.accuser = accusers[out_.random.below(accusers.size())];
    }
    return update;
}

void Membership::take_queued(std::size_t max, std::vector<Update>& out) {
    const auto rounds = std::min(max, queue_.size());
    for (std::size_t n = 0; n < rounds; ++n) {
        const auto key = queue_.front();
        queue_.pop_front();
        auto& member = members_[by_key_.at(key)];
        out.push_back(update_of(member));
        if (--member.transmits > 0) queue_.push_back(key);
    }
}

void Membership::fill_heard(std::vector<Heard>& out, std::size_t picks) {
    const auto add = [&](Index i) {
        const auto& m = members_[i];
        if (i == self_ || m.last_heard_ms < 0) return;
        out.push_back(
            {m.key, static_cast<std::uint64_t>(out_.now_ms - m.last_heard_ms), m.witness});
    };
    for (std::size_t n = 0; n < heard_recent; ++n) {
        const auto key = recent_[out_.random.below(recent_.size())];
        if (const auto i = find_key(key)) add(*i);
    }
    for (std::size_t n = 0; n < picks; ++n) {
        auto best = static_cast<Index>(out_.random.below(size()));
        for (std::size_t more = 1; more < heard_candidates; ++more) {
            const auto other = static_cast<Index>(out_.random.below(size()));
            if (members_[other].last_heard_ms > members_[best].last_heard_ms) best = other;
        }
        add(best);
    }
}

void Membership::send(Index to, Frame frame) {
    if (!taking_part() || to == *self_) return;
    frame.site = out_.settings.site;
    frame.incarnation = incarnation_;
    // Lifeguard's "buddy system": the suspected hear of it first, whatever else goes round.
    if (members_[to].state != State::alive && members_[to].state != State::unknown &&
        frame.updates.empty()) {
        frame.updates.push_back(update_of(members_[to]));
    }
    take_queued(frame.type == FrameType::gossip ? updates_per_gossip : updates_per_frame,
                frame.updates);
    const bool digest = frame.type == FrameType::digest;
    fill_heard(frame.heard, std::min(size(), digest ? heard_in_digest : heard_random));
    auto bytes = encode_frame(std::move(frame));
    ++out_.counters.frames_sent;
    out_.counters.bytes_sent += bytes.size();
    out_.effects.push_back(Send{members_[to].id, std::move(bytes)});
}

std::vector<Update> Membership::list(std::uint64_t& mask, std::size_t max) {
    std::array<std::vector<Index>, bucket_count> by_bucket;
    for (Index i = 0; i < size(); ++i) {
        const auto b = BucketDigest::bucket_of(members_[i].key);
        if ((mask >> b & 1U) != 0 && members_[i].state != State::unknown) {
            by_bucket[b].push_back(i);
        }
    }
    std::vector<Update> out;
    const auto first = out_.random.below(bucket_count);
    for (std::size_t n = 0; n < bucket_count; ++n) {
        const auto b = (first + n) % bucket_count;
        if (out.size() + by_bucket[b].size() > max) {
            mask &= ~(std::uint64_t{1} << b);
            continue;
        }
        for (const auto i : by_bucket[b]) out.push_back(update_of(members_[i]));
    }
    return out;
}

}  // namespace clarity::mesh
