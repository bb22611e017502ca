// Whom a node talks to: its neighbours on the rings, helpers, and tries at who does not answer.
#include <algorithm>
#include <utility>

#include "protocol/mesh/membership.hpp"

namespace clarity::mesh {
namespace {

/// A neighbour that was never heard of keeps its place so many waits; then it has to find us.
constexpr std::int64_t waits_max = 3;
constexpr std::size_t dice_max = 24;
/// Further neighbours at once, on one side of a ring.
constexpr std::size_t ahead_max = 8;
constexpr std::size_t active_many = 24;  ///< then one at a time again

template <class List, class T>
bool contains(const List& list, const T& value) {
    return std::find(list.begin(), list.end(), value) != list.end();
}

bool is_gone(State state) {
    return state == State::dead || state == State::left;
}

}  // namespace

const std::vector<Index>& Membership::active() {
    if (active_stale_ || out_.now_ms >= active_due_) refresh_active();
    return active_;
}

void Membership::refresh_active() {
    active_stale_ = false;
    active_due_ = never;
    const auto before = std::exchange(active_, {});
    if (!self_) return;
    for (std::size_t ring = 0; ring < ring_count; ++ring) {
        walk(ring, true, before);
        walk(ring, false, before);
    }
}

/// Beyond those that do not answer it looks twice as far at each step, so that a part of a site
/// that fell apart finds itself in a logarithm of the others' number.
void Membership::walk(std::size_t ring, bool forward, const std::vector<Index>& before) {
    const auto wait = out_.settings.neighbour_wait_ms;
    auto& out = active_;
    std::size_t silent = 0;
    std::size_t waiting = 0;
    std::size_t found = 0;
    const auto ahead = [&]() -> std::size_t {
        if (silent < 2 || out.size() >= active_many) return 0;
        return std::min(silent - 1, ahead_max);
    };
    const auto step = [&](Index i) {
        return forward ? roll_->next(ring, i) : roll_->previous(ring, i);
    };
    for (auto i = step(*self_); i != *self_; i = step(i)) {
        const auto state = rows_[i].state();
        if (is_gone(state)) continue;
        if (state == State::alive) {
            if (!contains(out, i)) {
                out.push_back(i);
                if (silent > 0 && !contains(before, i)) newcomers_.push_back(key(i));
            }
            if (++found > ahead()) return;
            continue;
        }
        if (found > 0) continue;
        const auto since = silent_.try_emplace(key(i), out_.now_ms).first->second;
        const auto waited = out_.now_ms - since;
        const bool kept = state == State::suspect || waited < waits_max * wait;
        if (kept && !contains(out, i)) out.push_back(i);
        if (state == State::unknown && kept) {
            active_due_ = std::min(active_due_, since + waits_max * wait);
        }
        if (waited < wait) {  // one at a time: most answer
            active_due_ = std::min(active_due_, since + wait);
            if (++waiting > ahead()) return;
        } else if (kept && state != State::unknown) {  // the others may be starting, as we are
            ++silent;
        }
    }
}

std::vector<Index> Membership::active_reachable() {
    std::vector<Index> out;
    for (const auto i : active()) {
        if (reachable(i)) out.push_back(i);
    }
    for (std::size_t i = out.size(); i > 1; --i) {
        std::swap(out[i - 1], out[out_.random.below(i)]);
    }
    return out;
}

std::vector<Index> Membership::helpers_for(Index target, std::size_t count) {
    std::vector<Index> out;
    const auto add = [&](Index i) {
        if (i != target && i != *self_ && rows_[i].state() == State::alive && !contains(out, i)) {
            out.push_back(i);
        }
    };
    for (std::size_t ring = 0; ring < ring_count; ++ring) {
        auto i = roll_->next(ring, target);
        while (i != target && is_gone(rows_[i].state())) i = roll_->next(ring, i);
        add(i);
        i = roll_->previous(ring, target);
        while (i != target && is_gone(rows_[i].state())) i = roll_->previous(ring, i);
        add(i);
    }
    for (std::size_t i = out.size(); i > 1; --i) {
        std::swap(out[i - 1], out[out_.random.below(i)]);
    }
    if (out.size() < count) {
        for (const auto i : active_reachable()) add(i);
    }
    if (out.size() > count) out.resize(count);
    return out;
}

std::vector<Index> Membership::sample_lost(std::size_t count, bool unknown_only) {
    std::vector<Index> out;
    const auto wanted = [&](Index i) {
        const auto state = rows_[i].state();
        const bool lost = unknown_only ? state == State::unknown
                                       : state != State::alive && state != State::suspect;
        return i != *self_ && lost && !contains(out, i);
    };
    // Throwing dice is cheaper than walking the table, unless few are lost.
    for (std::size_t tries = 0; tries < dice_max && out.size() < count; ++tries) {
        const auto i = static_cast<Index>(out_.random.below(size()));
        if (wanted(i)) out.push_back(i);
    }
    if (!out.empty()) return out;
    std::vector<Index> lost;
    for (Index i = 0; i < size(); ++i) {
        if (wanted(i)) lost.push_back(i);
    }
    while (out.size() < count && !lost.empty()) {
        const auto pick = out_.random.below(lost.size());
        out.push_back(lost[pick]);
        lost[pick] = lost.back();
        lost.pop_back();
    }
    return out;
}

}  // namespace clarity::mesh
