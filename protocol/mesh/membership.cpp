#include "protocol/mesh/membership.hpp"

#include <algorithm>
#include <cmath>

namespace clarity::mesh {
namespace {

/// Evidence of life younger than this beats hearsay of a death. A true death is announced no
/// earlier than a failed probe and the shortest suspicion after the last sign of life: 3 s.
constexpr std::int64_t hearsay_ms = 1500;
constexpr std::int64_t notice_interval_ms = 250;
constexpr std::size_t flood_size = 128;  ///< waiting updates

bool is_reachable(State state) {
    return state == State::alive || state == State::suspect;
}

/// What peers compare: a suspicion is passing, so it counts as alive.
std::uint64_t digest_hash(const Member& m) {
    const auto state = m.state == State::suspect ? State::alive : m.state;
    return mix(m.incarnation, static_cast<std::uint64_t>(state));
}

}  // namespace

Membership::Membership(Outbox& outbox, std::uint64_t first_incarnation)
    : out_(outbox),
      self_key_(key_of(outbox.settings.self)),
      incarnation_(std::max<std::uint64_t>(first_incarnation, 1)) {
    out_.effects.push_back(StoreIncarnation{incarnation_});
}

void Membership::count(const Member& m, bool in) {
    if (m.state != State::unknown) digest_.toggle(m.key, digest_hash(m));
    if (m.key == self_key_) return;
    const std::size_t one = in ? 1 : static_cast<std::size_t>(-1);  // wraps: subtracts
    if (is_reachable(m.state)) reachable_ += one;
    if (m.state == State::unknown) unknown_ += one;
}

void Membership::set_members(const std::vector<MemberSpec>& specs) {
    std::unordered_map<MemberKey, Member> known;
    for (auto& member : members_) known.emplace(member.key, std::move(member));
    members_.clear();
    by_key_.clear();
    self_.reset();
    for (const auto& spec : specs) {
        const auto key = key_of(spec.id);
        if (spec.id.empty() || !by_key_.emplace(key, 0).second) continue;
        auto& member = members_.emplace_back();
        if (const auto found = known.find(key); found != known.end()) {
            member = std::move(found->second);
        } else {
            member.id = spec.id;
            member.key = key;
        }
    }
    std::sort(members_.begin(), members_.end(),
              [](const Member& a, const Member& b) { return a.id < b.id; });
    digest_ = BucketDigest();
    reachable_ = unknown_ = 0;
    for (Index i = 0; i < members_.size(); ++i) {
        auto& member = members_[i];
        by_key_[member.key] = i;
        if (member.key == self_key_) {
            self_ = i;
            if (!left_) member.state = State::alive;
            member.incarnation = incarnation_;
        }
        count(member, true);
    }
    std::erase_if(suspicions_, [&](const auto& each) { return !by_key_.contains(each.first); });
    std::erase_if(queue_, [&](MemberKey key) { return !by_key_.contains(key); });
    active_.clear();
    active_stale_ = true;
    if (self_) queue(members_[*self_]);
}

std::optional<Index> Membership::find(std::string_view id) const {
    const auto found = find_key(key_of(id));
    if (!found || members_[*found].id != id) return std::nullopt;
    return found;
}

std::optional<Index> Membership::find_key(MemberKey key) const {
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return std::nullopt;
    return found->second;
}

bool Membership::reachable(Index i) const {
    return is_reachable(members_[i].state);
}

void Membership::queue(Member& member) {
    const bool flood = queue_.size() > flood_size;  // a site starting: anti-entropy is cheaper
    const auto rounds = flood ? 3 : 3 + std::ceil(std::log2(static_cast<double>(size()) + 1));
    if (member.transmits == 0) queue_.push_front(member.key);
    member.transmits = static_cast<std::uint8_t>(rounds);
    hooks.changed();
}

void Membership::set(Index i, State state, std::uint64_t incarnation) {
    auto& member = members_[i];
    const bool changed = member.state != state;
    count(member, false);
    member.state = state;
    member.incarnation = incarnation;
    count(member, true);
    if (state != State::suspect) suspicions_.erase(member.key);
    if (changed) {
        active_stale_ = true;
        out_.effects.push_back(MemberChanged{member.id, state});
    }
    queue(member);
}

void Membership::raise_incarnation(std::uint64_t value) {
    if (value <= incarnation_ || value > incarnation_max) return;
    incarnation_ = value;
    out_.effects.push_back(StoreIncarnation{value});
    if (!self_) return;
    auto& me = members_[*self_];
    count(me, false);
    me.incarnation = value;
    count(me, true);
    queue(me);
}

void Membership::leave() {
    if (!taking_part()) return;
    set(*self_, State::left, incarnation_);
    Frame frame;
    frame.type = FrameType::gossip;
    for (const auto to : active()) send(to, frame);
    left_ = true;
}

void Membership::evidence(Index i, std::int64_t at_ms, MemberKey witness) {
    auto& member = members_[i];
    if (at_ms <= member.last_heard_ms) return;
    member.last_heard_ms = at_ms;
    member.witness = witness;
}

void Membership::heard_from(Index from, std::uint64_t incarnation) {
    evidence(from, out_.now_ms, self_key_);
    auto& member = members_[from];
    recent_[recent_next_++ % recent_.size()] = member.key;
    if (member.state == State::unknown || incarnation > member.incarnation) {
        const bool was_reachable = is_reachable(member.state);
        set(from, State::alive, incarnation);
        if (!was_reachable) hooks.returned(from);
    } else if (member.state != State::alive || incarnation < member.incarnation) {
        notice(from);  // it must know what is said of it, to refute it or to go above it
    }
}

void Membership::notice(Index i) {
    auto& member = members_[i];
    if (member.noticed_ms >= 0 && out_.now_ms - member.noticed_ms < notice_interval_ms) return;
    member.noticed_ms = out_.now_ms;
    Frame frame;
    frame.updates.push_back(update_of(member));
    send(i, std::move(frame));
}

void Membership::take_claims(Index from, std::span<const Update> updates,
                             std::span<const Heard> heard) {
    const auto from_key = members_[from].key;
    for (const auto& update : updates) {
        if (update.incarnation > incarnation_max || update.state == State::unknown) continue;
        if (update.member == self_key_) about_self(update, from);
        else merge(update, from_key);
    }
    for (const auto& each : heard) {
        const auto i = find_key(each.member);
        if (!i || *i == *self_ || each.age_ms > static_cast<std::uint64_t>(out_.now_ms)) continue;
        evidence(*i, out_.now_ms - static_cast<std::int64_t>(each.age_ms), each.witness);
    }
}

void Membership::about_self(const Update& update, Index from) {
    if (left_ || update.incarnation < incarnation_) return;
    if (update.state == State::alive && update.incarnation == incarnation_) return;
    if (update.state != State::alive) ++out_.counters.refutations;
    raise_incarnation(update.incarnation + 1);
    send(from, Frame{});  // the accuser first; the others hear it as gossip
}

void Membership::merge(const Update& u, MemberKey from) {
    const auto i = find_key(u.member);
    if (!i) return;
    const auto& m = members_[*i];
    const bool newer = u.incarnation > m.incarnation || m.state == State::unknown;
    const bool same = u.incarnation == m.incarnation;
    switch (u.state) {
        case State::alive:
            if (newer) set(*i, State::alive, u.incarnation);
            break;
        case State::suspect:
            if (newer || (same && is_reachable(m.state))) {
                suspect(*i, u.incarnation, find_key(u.accuser) ? u.accuser : from);
            }
            break;
        case State::dead:
            if (!newer && !(same && is_reachable(m.state))) break;
            if (m.last_heard_ms >= 0 && out_.now_ms - m.last_heard_ms < hearsay_ms) {
                suspect(*i, u.incarnation, from);
            } else {
                set(*i, State::dead, u.incarnation);
            }
            break;
        case State::left:
            if (newer || (same && m.state != State::left)) set(*i, State::left, u.incarnation);
            break;
        case State::unknown: break;
    }
}

void Membership::accuse(Index i) {
    if (reachable(i)) suspect(i, members_[i].incarnation, self_key_);
}

void Membership::suspect(Index i, std::uint64_t incarnation, MemberKey accuser) {
    const auto& s = out_.settings;
    const bool fresh = members_[i].state != State::suspect || incarnation > members_[i].incarnation;
    if (fresh) {
        const auto others = size() > 2 ? static_cast<std::uint32_t>(size() - 2) : 0;
        const auto least = suspicion_min_ms(size(), s.suspicion_min_ms, s.probe_interval_ms);
        suspicions_.erase(members_[i].key);
        suspicions_.emplace(members_[i].key,
                            Suspicion(out_.now_ms, least, least * s.suspicion_max_factor,
                                      std::min(s.suspicion_confirmations, others)));
        set(i, State::suspect, incarnation);
    }
    auto& suspicion = suspicions_.at(members_[i].key);
    if (suspicion.accuse(accuser) && !fresh) queue(members_[i]);
    suspicion_at_ = std::min(suspicion_at_, suspicion.deadline());
    if (fresh && accuser != self_key_) hooks.suspected(i);
}

void Membership::on_time() {
    if (out_.now_ms < suspicion_at_) return;
    std::vector<MemberKey> expired;
    suspicion_at_ = never;
    for (auto& [key, suspicion] : suspicions_) {
        const auto& member = members_[by_key_.at(key)];
        if (suspicion.deadline() <= out_.now_ms && member.last_heard_ms >= 0 &&
            out_.now_ms - member.last_heard_ms < hearsay_ms) {
            suspicion.extend(hearsay_ms);  // it speaks: give the refutation time to arrive
        }
        if (suspicion.deadline() <= out_.now_ms) expired.push_back(key);
        else suspicion_at_ = std::min(suspicion_at_, suspicion.deadline());
    }
    std::sort(expired.begin(), expired.end());  // the map's order must not decide anything
    for (const auto key : expired) {
        const auto i = by_key_.at(key);
        set(i, State::dead, members_[i].incarnation);
    }
}

void Membership::extend_suspicions(std::int64_t by_ms) {
    for (auto& [key, suspicion] : suspicions_) suspicion.extend(by_ms);
}

}  // namespace clarity::mesh
