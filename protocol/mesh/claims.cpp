// What others say: of members, of ourselves, and how far it is believed.
#include <algorithm>

#include "protocol/mesh/membership.hpp"

namespace clarity::mesh {
namespace {

/// A suspicion is not ended in death while the suspect itself spoke to us this lately: its
/// refutation is under way.
constexpr std::int64_t speaks_ms = 1500;
constexpr std::int64_t window_ms = 1000;
/// Suspicions that one sender may begin here within a window: so many that the deaths of a whole
/// site's half get round in seconds, so few that refutations keep pace with a liar.
constexpr std::uint32_t accusations_max = 128;
/// Raises so small that counting them would cost more than it protects from.
constexpr std::uint64_t raise_uncounted = 4;
/// How far hearsay may raise a member's incarnation within a window. A refutation goes above the
/// accusation that it answers, so it may go further; and 2^53 is out of everybody's reach: at this
/// rate it takes 136 years.
constexpr std::uint64_t raise_max = std::uint64_t{1} << 20U;
constexpr std::int64_t refute_gap_min_ms = 125;
constexpr std::int64_t refute_gap_max_ms = 500;
constexpr std::int64_t refute_calm_ms = 10'000;
constexpr std::size_t refute_accusers_max = 8;

}  // namespace

void Membership::take_claims(Index from, const Frame& frame) {
    for (const auto& update : frame.updates) {
        if (update.incarnation > incarnation_max || update.state == State::unknown) continue;
        if (update.member == self_key_) about_self(update, from);
        else merge(update, from);
    }
    if (frame.roll_hash != 0) {
        if (frame.roll_hash == roll_->hash()) other_roll_.erase(key(from));
        else other_roll_[key(from)] = true;
    }
    for (const auto& each : frame.heard) {
        const auto i = find_key(each.member);
        if (!i || i == self_ || *i == from) continue;
        if (each.age_ms > static_cast<std::uint64_t>(out_.now_ms)) continue;
        const auto state = rows_[*i].state();
        if (state == State::dead || state == State::left) continue;
        const auto witness = find_key(each.witness);
        if (!witness || witness == self_ || *witness == *i) continue;
        evidence(*i, out_.now_ms - static_cast<std::int64_t>(each.age_ms), *witness);
    }
}

bool Membership::believable(Index i, const Update& u) {
    const std::uint64_t known = rows_[i].incarnation;
    if (u.incarnation <= known + raise_uncounted) return true;
    if (out_.now_ms - raised_since_ms_ >= window_ms) {
        raised_since_ms_ = out_.now_ms;
        raised_.clear();
    }
    const auto found = raised_.find(key(i));
    const auto base = found == raised_.end() ? known : found->second;
    if (u.incarnation > base + (u.state == State::alive ? 2 * raise_max : raise_max)) {
        ++out_.counters.claims_doubted;
        return false;
    }
    if (found == raised_.end() && rows_[i].state() != State::unknown)
        raised_.emplace(key(i), known);
    return true;
}

bool Membership::within_accusations(Index from) {
    if (out_.now_ms - accusing_since_ms_ >= window_ms) {
        accusing_since_ms_ = out_.now_ms;
        accusing_.clear();
    }
    return ++accusing_[key(from)] <= accusations_max;
}

void Membership::merge(const Update& u, Index from) {
    const auto i = find_key(u.member);
    if (!i) return;
    const auto& row = rows_[*i];
    if (*i == from) {  // of itself a member says only good-bye here; its life is the frame's
        if (u.state == State::left && u.incarnation >= row.incarnation) {
            set(*i, State::left, u.incarnation);
        }
        return;
    }
    if (!believable(*i, u)) return hooks.ask(*i);
    const bool first = row.state() == State::unknown;
    const bool newer = u.incarnation > row.incarnation || first;
    bool counts = newer || (u.incarnation == row.incarnation && reachable(*i));
    const bool begins = newer || row.state() != State::suspect;
    if (counts && begins && u.state != State::alive) counts = within_accusations(from);
    switch (u.state) {
        case State::alive:
            if (newer) set(*i, State::alive, u.incarnation);
            break;
        case State::suspect:
            if (counts) {
                // Whom we accuse ourselves we know.
                const bool named =
                    find_key(u.accuser) && u.accuser != u.member && u.accuser != self_key_;
                suspect(*i, u.incarnation, named ? u.accuser : key(from), false, true);
            }
            break;
        case State::dead:
        case State::left:
            // Whom we never heard of may be long dead, as everybody else knows: told to nobody.
            if (counts) suspect(*i, u.incarnation, key(from), u.state == State::left, !first);
            break;
        case State::unknown: break;
    }
}

void Membership::accuse(Index i) {
    if (reachable(i)) suspect(i, rows_[i].incarnation, self_key_, false, true);
}

void Membership::suspect(Index i, std::uint64_t incarnation, MemberKey accuser, bool leaving,
                         bool tell) {
    const auto& s = out_.settings;
    const bool fresh = rows_[i].state() != State::suspect || incarnation > rows_[i].incarnation;
    if (fresh) {
        // Who might accuse it too: few, in a small part of a site that fell apart.
        const bool counted = reachable(i) || rows_[i].state() == State::unknown;
        const auto others = reachable_ + unknown_ - (counted ? 1U : 0U);
        suspicions_.erase(key(i));
        suspicions_.emplace(
            key(i),
            Suspicion(out_.now_ms, s.suspicion_min_ms, s.suspicion_min_ms * s.suspicion_max_factor,
                      std::min<std::uint32_t>(s.suspicion_confirmations,
                                              static_cast<std::uint32_t>(others))));
        set(i, State::suspect, incarnation, tell);
    }
    auto& suspicion = suspicions_.at(key(i));
    if (leaving) suspicion.left_according_to(accuser);
    if (suspicion.accuse(accuser) && !fresh && tell) queue(i);
    suspicion_at_ = std::min(suspicion_at_, suspicion.deadline(patience_));
    if (fresh && accuser != self_key_) hooks.suspected(i);
}

void Membership::expire_suspicions() {
    std::vector<MemberKey> expired;
    suspicion_at_ = never;
    for (auto& [key, suspicion] : suspicions_) {
        if (suspicion.deadline(patience_) <= out_.now_ms && suspicion.heard_ms() >= 0 &&
            out_.now_ms - suspicion.heard_ms() < speaks_ms) {
            suspicion.extend(suspicion.heard_ms() + speaks_ms - suspicion.deadline(patience_));
        }
        if (suspicion.deadline(patience_) <= out_.now_ms) expired.push_back(key);
        else suspicion_at_ = std::min(suspicion_at_, suspicion.deadline(patience_));
    }
    std::sort(expired.begin(), expired.end());  // the map's order must not decide anything
    for (const auto key : expired) {
        const auto end = suspicions_.at(key).leaving() ? State::left : State::dead;
        const auto i = *find_key(key);
        set(i, end, rows_[i].incarnation);
    }
}

void Membership::restart_suspicions() {
    for (auto& [key, suspicion] : suspicions_) suspicion.restart(out_.now_ms);
    schedule_suspicions();
}

void Membership::set_patience(double factor) {
    if (factor == patience_) return;
    patience_ = factor;
    schedule_suspicions();
}

void Membership::schedule_suspicions() {
    suspicion_at_ = never;
    for (const auto& [key, suspicion] : suspicions_) {
        suspicion_at_ = std::min(suspicion_at_, suspicion.deadline(patience_));
    }
}

void Membership::about_self(const Update& u, Index from) {
    if (left_ || u.incarnation < incarnation_) return;
    if (u.state == State::alive && u.incarnation == incarnation_) return;
    auto& r = refutation_;
    // One claim moves us only so far: whoever holds a higher one of us says it again.
    r.above = std::max(r.above, std::min(u.incarnation, incarnation_ + raise_max));
    r.accused = r.accused || u.state != State::alive;
    const bool listed = std::find(r.accusers.begin(), r.accusers.end(), from) != r.accusers.end();
    if (!listed && r.accusers.size() < refute_accusers_max) r.accusers.push_back(from);
    // The first is answered at once. Who accuses us again and again shall not set the pace at which
    // we write to the disk and to everybody; the longest gap is far below a suspicion's minimum.
    if (r.last_ms < 0 || out_.now_ms - r.last_ms >= r.gap_ms) refute();
    else r.due_ms = r.last_ms + r.gap_ms;
}

void Membership::refute() {
    auto& r = refutation_;
    r.due_ms = never;
    const auto accusers = std::exchange(r.accusers, {});
    const bool accused = std::exchange(r.accused, false);
    if (r.above < incarnation_) return;
    const bool calm = r.last_ms < 0 || out_.now_ms - r.last_ms > refute_calm_ms;
    r.gap_ms = calm ? refute_gap_min_ms : std::min(2 * r.gap_ms, refute_gap_max_ms);
    r.last_ms = out_.now_ms;
    raise_incarnation(r.above + 1);
    if (accused) {
        ++out_.counters.refutations;
        hooks.refuted();
    }
    // The accusers first; the others hear it as gossip.
    for (const auto to : accusers) send(to, Frame{});
}

}  // namespace clarity::mesh
