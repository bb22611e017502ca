// What a frame carries besides its own business, and listings for anti-entropy.
#include <algorithm>

#include "protocol/mesh/membership.hpp"

namespace clarity::mesh {
namespace {

constexpr std::size_t updates_per_frame = 16;
constexpr std::size_t updates_per_gossip = 128;
constexpr std::size_t heard_per_frame = 8;
constexpr std::size_t heard_keyed = 3;       ///< to a peer of another roster: 19 bytes each
constexpr std::size_t heard_recent = 2;      ///< of those: heard by ourselves, lately
constexpr std::size_t heard_candidates = 3;  ///< the freshest of so many is told

bool answers(FrameType type) {
    return type == FrameType::ping || type == FrameType::ack;
}

}  // namespace

Update Membership::update_of(Index i) {
    Update update{key(i), rows_[i].state(), rows_[i].incarnation, 0};
    if (const auto found = suspicions_.find(key(i)); found != suspicions_.end()) {
        const auto& accusers = found->second.accusers();
        if (!accusers.empty()) update.accuser = accusers[out_.random.below(accusers.size())];
    }
    return update;
}

void Membership::take_queued(std::size_t max, std::vector<Update>& out) {
    const auto rounds = std::min(max, queue_.size());
    for (std::size_t n = 0; n < rounds && out.size() < max; ++n) {
        const auto member = queue_.front();
        queue_.pop_front();
        const auto i = *find_key(member);
        auto update = update_of(i);
        out.push_back(update);
        // Every accuser counts for those who hear of the suspicion only now.
        if (const auto found = suspicions_.find(member); found != suspicions_.end()) {
            for (const auto accuser : found->second.accusers()) {
                if (accuser == update.accuser) continue;
                out.push_back(update);
                out.back().accuser = accuser;
            }
        }
        const auto left = rows_[i].transmits == 0 ? 0U : rows_[i].transmits - 1U;
        rows_[i].set_transmits(left);
        if (left > 0) queue_.push_back(member);
    }
}

void Membership::fill_heard(std::vector<Heard>& out, std::size_t max) {
    max = std::min(max, size() - 1);
    const auto add = [&](Index i) {
        const auto& row = rows_[i];
        const auto same = [&](const Heard& each) { return each.member == key(i); };
        if (i == *self_ || row.heard == 0 || std::any_of(out.begin(), out.end(), same)) return;
        out.push_back({key(i), static_cast<std::uint64_t>(out_.now_ms - row.heard_ms()),
                       key(static_cast<Index>(row.witness))});
    };
    for (std::size_t n = 0; n < heard_recent && n < max; ++n) {
        const auto member = recent_[out_.random.below(recent_.size())];
        if (const auto i = find_key(member)) add(*i);
    }
    for (std::size_t n = 0; n < max && out.size() < max; ++n) {
        auto best = static_cast<Index>(out_.random.below(size()));
        for (std::size_t more = 1; more < heard_candidates; ++more) {
            const auto other = static_cast<Index>(out_.random.below(size()));
            if (rows_[other].heard > rows_[best].heard) best = other;
        }
        add(best);
    }
    std::sort(out.begin(), out.end(),
              [](const Heard& a, const Heard& b) { return a.age_ms < b.age_ms; });
}

void Membership::send(Index to, Frame frame) {
    if (!taking_part() || to == *self_) return;
    frame.site = site_;
    frame.incarnation = incarnation_;
    // Lifeguard's "buddy system": the suspected hear of it first, whatever else goes round.
    if (rows_[to].state() != State::alive && rows_[to].state() != State::unknown &&
        frame.updates.empty()) {
        frame.updates.push_back(update_of(to));
    }
    take_queued(frame.type == FrameType::gossip ? updates_per_gossip : updates_per_frame,
                frame.updates);
    const bool keyed = other_roll_.contains(key(to));
    if (answers(frame.type)) fill_heard(frame.heard, keyed ? heard_keyed : heard_per_frame);
    auto& of_type = out_.counters.sent_by_type[static_cast<std::size_t>(frame.type)];
    auto bytes = encode_frame(std::move(frame), keyed ? nullptr : roll_.get());
    ++out_.counters.frames_sent;
    out_.counters.bytes_sent += bytes.size();
    ++of_type.frames;
    of_type.bytes += bytes.size();
    out_.effects.push_back(Send{id(to), std::move(bytes)});
}

std::vector<Update> Membership::list(std::uint64_t& mask, std::size_t max) {
    std::array<std::vector<Index>, bucket_count> by_bucket;
    for (Index i = 0; i < size(); ++i) {
        const auto b = BucketDigest::bucket_of(key(i));
        if ((mask >> b & 1U) != 0 && rows_[i].state() != State::unknown) by_bucket[b].push_back(i);
    }
    std::vector<Update> out;
    const auto first = out_.random.below(bucket_count);
    for (std::size_t n = 0; n < bucket_count; ++n) {
        const auto b = (first + n) % bucket_count;
        if (out.size() + by_bucket[b].size() > max) {
            mask &= ~(std::uint64_t{1} << b);
            continue;
        }
        for (const auto i : by_bucket[b]) out.push_back(update_of(i));
    }
    return out;
}

}  // namespace clarity::mesh
