#include "protocol/mesh/membership.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "protocol/mesh/site.hpp"

namespace clarity::mesh {
namespace {

constexpr std::size_t flood_size = 128;  ///< waiting updates
constexpr std::size_t noticed_max = 1024;
constexpr std::int64_t notice_interval_ms = 250;

bool is_reachable(State state) {
    return state == State::alive || state == State::suspect;
}

/// What peers compare. A suspicion is passing, so it counts as alive; whether somebody is dead or
/// has left may be told apart differently for good, which no exchange would settle.
std::uint64_t digest_hash(const Row& row) {
    return mix(row.incarnation, is_reachable(row.state()) ? 1 : 2);
}

}  // namespace

Membership::Membership(Outbox& outbox, std::uint64_t first_incarnation)
    : out_(outbox),
      roll_(Roll::make({})),
      self_key_(key_of(outbox.settings.self)),
      site_(site_hash(outbox.settings.site)),
      incarnation_(std::clamp<std::uint64_t>(first_incarnation, 1, incarnation_max)) {
    out_.effects.push_back(StoreIncarnation{incarnation_});
}

void Membership::count(Index i, bool in) {
    const auto& row = rows_[i];
    if (row.state() != State::unknown) digest_.toggle(key(i), digest_hash(row));
    if (i == self_) return;
    const std::size_t one = in ? 1 : static_cast<std::size_t>(-1);  // wraps: subtracts
    if (is_reachable(row.state())) reachable_ += one;
    if (row.state() == State::unknown) unknown_ += one;
}

void Membership::set_members(std::shared_ptr<const Roll> roll) {
    const auto old_roll = std::exchange(roll_, std::move(roll));
    const auto old_rows = std::exchange(rows_, std::vector<Row>(roll_->size()));
    carry_over(*old_roll, old_rows);
    self_ = find_key(self_key_);
    digest_ = BucketDigest();
    reachable_ = unknown_ = 0;
    if (self_) {
        if (!left_) rows_[*self_].set_state(State::alive);
        rows_[*self_].set_incarnation(incarnation_);
    }
    for (Index i = 0; i < size(); ++i) count(i, true);
    const auto gone = [&](const auto& each) { return !find_key(each.first); };
    std::erase_if(suspicions_, gone);
    std::erase_if(noticed_, gone);
    std::erase_if(silent_, gone);
    newcomers_.clear();
    std::erase_if(queue_, [&](MemberKey key) { return !find_key(key); });
    other_roll_.clear();
    raised_.clear();
    refutation_.accusers.clear();
    active_stale_ = true;
    if (self_) queue(*self_);
}

void Membership::carry_over(const Roll& old_roll, const std::vector<Row>& old_rows) {
    for (Index i = 0; i < old_rows.size(); ++i) {
        const auto now = find_key(old_roll.key(i));
        if (!now) continue;
        auto& row = rows_[*now];
        row = old_rows[i];
        const auto witness = find_key(old_roll.key(static_cast<Index>(row.witness)));
        row.set_witness(witness.value_or(*now));
    }
}

bool Membership::reachable(Index i) const {
    return is_reachable(rows_[i].state());
}

void Membership::queue(Index i) {
    const bool flood = queue_.size() > flood_size;
    // Eight peers, of whom each is told about once, and some more for frames that get lost.
    const auto log2 = static_cast<unsigned>(std::bit_width(size()));
    if (rows_[i].transmits == 0) queue_.push_front(key(i));
    rows_[i].set_transmits(flood ? 3U : 4U + log2 / 2);
    hooks.changed();
}

void Membership::set(Index i, State state, std::uint64_t incarnation, bool tell) {
    auto& row = rows_[i];
    const bool changed = row.state() != state;
    // In a flood (a site starting) anti-entropy tells who is alive more cheaply.
    if (row.state() == State::unknown && queue_.size() > flood_size) tell = false;
    count(i, false);
    row.set_state(state);
    row.set_incarnation(incarnation);
    count(i, true);
    if (state != State::suspect) {
        suspicions_.erase(key(i));
        silent_.erase(key(i));
    }
    if (changed) {
        active_stale_ = true;
        out_.effects.push_back(MemberChanged{id(i), state});
    }
    if (tell) queue(i);
}

void Membership::raise_incarnation(std::uint64_t value) {
    if (value <= incarnation_ || value > incarnation_max) return;
    incarnation_ = value;
    out_.effects.push_back(StoreIncarnation{value});
    if (!self_) return;
    count(*self_, false);
    rows_[*self_].set_incarnation(value);
    count(*self_, true);
    queue(*self_);
}

void Membership::leave() {
    if (!taking_part()) return;
    set(*self_, State::left, incarnation_);
    for (const auto to : active()) {
        Frame frame;
        frame.updates.push_back(update_of(*self_));
        send(to, std::move(frame));
    }
    left_ = true;
}

void Membership::evidence(Index i, std::int64_t at_ms, Index witness) {
    auto& row = rows_[i];
    if (at_ms < 0 || at_ms <= row.heard_ms()) return;
    row.set_heard(at_ms, witness);
}

void Membership::heard_from(Index from, std::uint64_t incarnation) {
    evidence(from, out_.now_ms, *self_);
    last_frame_ms_ = out_.now_ms;
    recent_[recent_next_++ % recent_.size()] = key(from);
    if (const auto found = suspicions_.find(key(from)); found != suspicions_.end()) {
        found->second.heard(out_.now_ms);
    }
    const auto& row = rows_[from];
    if (row.state() == State::unknown || incarnation > row.incarnation) {
        const bool was_reachable = is_reachable(row.state());
        set(from, State::alive, incarnation);
        if (!was_reachable) hooks.returned(from);
    } else if (row.state() != State::alive || incarnation < row.incarnation) {
        notice(from);  // it must know what is said of it, to refute it or to go above it
    }
}

void Membership::notice(Index i) {
    if (noticed_.size() >= noticed_max) noticed_.clear();
    const auto [at, first] = noticed_.try_emplace(key(i), out_.now_ms);
    if (!first && out_.now_ms - at->second < notice_interval_ms) return;
    at->second = out_.now_ms;
    Frame frame;
    frame.updates.push_back(update_of(i));
    send(i, std::move(frame));
}

std::int64_t Membership::deadline() const {
    const auto now = newcomers_.empty() ? never : out_.now_ms;
    return std::min({suspicion_at_, refutation_.due_ms, active_due_, now});
}

void Membership::on_time() {
    if (out_.now_ms >= suspicion_at_) expire_suspicions();
    if (out_.now_ms >= refutation_.due_ms) refute();
    for (const auto each : std::exchange(newcomers_, {})) {
        if (const auto i = find_key(each)) hooks.suspected(*i);  // it may be as silent
    }
    if (out_.now_ms >= active_due_) {
        active_due_ = never;
        active_stale_ = true;
        for (const auto i : active()) {
            if (rows_[i].state() == State::unknown && silent_.at(key(i)) == out_.now_ms) {
                hooks.ask(i);  // a new neighbour, because the one before it is silent
            }
        }
    }
}

}  // namespace clarity::mesh
