#include "protocol/mesh/prober.hpp"

#include <algorithm>

namespace clarity::mesh {
namespace {

constexpr std::size_t probes_max = 64;
constexpr std::size_t errands_max = 256;
constexpr std::uint32_t boot_tries_max = 40;
constexpr std::size_t boot_fanout = 3;
constexpr std::size_t confirmers = 4;  ///< members that check a suspicion themselves

}  // namespace

Prober::Prober(Outbox& outbox, Membership& members) : out_(outbox), members_(members) {}

void Prober::members_changed() {
    const auto& s = out_.settings;
    if (!members_.taking_part()) {
        probe_at_ = heal_at_ = boot_at_ = never;
        return;
    }
    if (probe_at_ == never) probe_at_ = out_.now_ms + out_.random.jitter(s.probe_interval_ms) / 2;
    if (heal_at_ == never) heal_at_ = out_.now_ms + out_.random.jitter(s.heal_interval_ms);
    boot_tries_ = 0;
    if (members_.unknown_count() > 0) boot_at_ = out_.now_ms;
}

void Prober::worse(std::uint32_t by) {
    health_ = std::min(health_ + by, out_.settings.local_health_max);
}

void Prober::ping(Index to, std::uint64_t sequence) {
    Frame frame;
    frame.type = FrameType::ping;
    frame.sequence = sequence;
    members_.send(to, std::move(frame));
}

void Prober::probe_now(Index target) {
    const auto key = members_.at(target).key;
    const auto same = [&](const Probe& each) { return each.target == key; };
    if (target == members_.self() || !members_.reachable(target) || probes_.size() >= probes_max ||
        std::any_of(probes_.begin(), probes_.end(), same)) {
        return;
    }
    const auto& s = out_.settings;
    ++out_.counters.probes;
    probes_.push_back({key,
                       ++sequence_,
                       out_.now_ms + scaled(s.probe_timeout_ms),
                       out_.now_ms + scaled(s.probe_interval_ms),
                       {},
                       0});
    ping(target, sequence_);
}

void Prober::confirm(Index suspect) {
    if (out_.random.below(members_.reachable_count()) < confirmers) probe_now(suspect);
}

void Prober::take_ping(Index from, std::uint64_t sequence) {
    Frame frame;
    frame.type = FrameType::ack;
    frame.sequence = sequence;
    members_.send(from, std::move(frame));
}

void Prober::take_ping_request(Index from, MemberKey target, std::uint64_t sequence) {
    const auto to = members_.find_key(target);
    if (!to || *to == members_.self() || errands_.size() >= errands_max) return;
    const auto& s = out_.settings;
    const auto patience = (s.probe_interval_ms - s.probe_timeout_ms) * 3 / 4;
    errands_.push_back(
        {target, members_.at(from).key, sequence, ++sequence_, out_.now_ms + patience});
    ping(*to, sequence_);
}

void Prober::take_ack(Index from, std::uint64_t sequence) {
    const auto key = members_.at(from).key;
    for (auto each = probes_.begin(); each != probes_.end(); ++each) {
        if (each->sequence != sequence) continue;
        const auto& helpers = each->helpers;
        if (key != each->target) {
            if (std::find(helpers.begin(), helpers.end(), key) == helpers.end()) return;
            const auto target = members_.find_key(each->target);
            if (target) members_.evidence(*target, out_.now_ms, key);
        }
        probes_.erase(each);
        better();
        return;
    }
    for (auto each = errands_.begin(); each != errands_.end(); ++each) {
        if (each->sequence != sequence || each->target != key) continue;
        Frame frame;
        frame.type = FrameType::ack;
        frame.sequence = each->asker_sequence;
        if (const auto to = members_.find_key(each->asker)) members_.send(*to, std::move(frame));
        errands_.erase(each);
        return;
    }
}

void Prober::take_nack(Index from, std::uint64_t sequence) {
    const auto key = members_.at(from).key;
    for (auto& probe : probes_) {
        if (probe.sequence != sequence) continue;
        // A helper counts once: it is forgotten as soon as it has said that it is awake.
        if (std::erase(probe.helpers, key) > 0) ++probe.nacks;
    }
}

void Prober::ask_helpers(Probe& probe) {
    probe.indirect_at = never;
    const auto target = members_.find_key(probe.target);
    if (!target) return;
    ping(*target, probe.sequence);  // once more: the first may just have been lost
    const std::array except{*target};
    for (const auto helper : members_.sample(out_.settings.indirect_probes, except)) {
        probe.helpers.push_back(members_.at(helper).key);
        Frame frame;
        frame.type = FrameType::ping_request;
        frame.target = probe.target;
        frame.sequence = probe.sequence;
        members_.send(helper, std::move(frame));
    }
}

void Prober::failed(const Probe& probe) {
    ++out_.counters.probes_failed;
    // Helpers that did not even say "no answer" point at ourselves.
    if (!probe.helpers.empty()) worse(static_cast<std::uint32_t>(probe.helpers.size()));
    else if (probe.nacks == 0) worse();
    if (const auto target = members_.find_key(probe.target)) members_.accuse(*target);
}

std::optional<Index> Prober::next_in_round() {
    for (int rounds = 0; rounds < 2; ++rounds) {
        while (!round_.empty()) {
            const auto i = members_.find_key(round_.back());
            round_.pop_back();
            if (i && *i != members_.self() && members_.reachable(*i)) return i;
        }
        for (const auto& member : members_.all()) round_.push_back(member.key);
        for (std::size_t i = round_.size(); i > 1; --i) {
            std::swap(round_[i - 1], round_[out_.random.below(i)]);
        }
    }
    return std::nullopt;
}

void Prober::tick() {
    probe_at_ = out_.now_ms + scaled(out_.settings.probe_interval_ms);
    if (const auto target = next_in_round()) probe_now(*target);
    const auto& active = members_.active();
    if (!active.empty()) probe_now(active[active_turn_++ % active.size()]);
}

void Prober::boot() {
    const auto& s = out_.settings;
    boot_at_ = never;
    if (members_.unknown_count() == 0 || ++boot_tries_ > boot_tries_max) return;
    boot_at_ = out_.now_ms + out_.random.jitter(s.boot_interval_ms);
    for (const auto to : members_.sample_lost(boot_fanout, true)) ping(to, 0);
}

void Prober::woke_up() {
    probes_.clear();
    errands_.clear();
    worse();
}

void Prober::on_time() {
    const auto now = out_.now_ms;
    std::vector<Probe> over;
    for (std::size_t i = 0; i < probes_.size();) {
        if (probes_[i].ends_at <= now) {
            over.push_back(std::move(probes_[i]));
            probes_.erase(probes_.begin() + static_cast<std::ptrdiff_t>(i));
            continue;
        }
        if (probes_[i].indirect_at <= now) ask_helpers(probes_[i]);
        ++i;
    }
    for (const auto& probe : over) failed(probe);
    for (std::size_t i = 0; i < errands_.size();) {
        if (errands_[i].nack_at > now) {
            ++i;
            continue;
        }
        Frame frame;
        frame.type = FrameType::nack;
        frame.sequence = errands_[i].asker_sequence;
        if (const auto to = members_.find_key(errands_[i].asker)) {
            members_.send(*to, std::move(frame));
        }
        errands_.erase(errands_.begin() + static_cast<std::ptrdiff_t>(i));
    }
    if (now >= probe_at_) tick();
    if (now >= boot_at_) boot();
    if (now >= heal_at_) {
        heal_at_ = now + out_.random.jitter(out_.settings.heal_interval_ms);
        for (const auto to : members_.sample_lost(1, false)) ping(to, 0);
    }
}

std::int64_t Prober::deadline() const {
    auto at = std::min({probe_at_, heal_at_, boot_at_});
    for (const auto& probe : probes_) at = std::min({at, probe.indirect_at, probe.ends_at});
    for (const auto& errand : errands_) at = std::min(at, errand.nack_at);
    return at;
}

}  // namespace clarity::mesh
