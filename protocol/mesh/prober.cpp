#include "protocol/mesh/prober.hpp"

#include <algorithm>

namespace clarity::mesh {
namespace {

constexpr std::size_t probes_max = 64;
constexpr std::size_t errands_max = 256;
constexpr std::uint32_t boot_tries_max = 40;
constexpr std::size_t boot_fanout = 3;
constexpr std::size_t boot_enough = 4;
constexpr std::uint32_t asks_max_s = 8;
constexpr std::uint32_t silence_health_max = 2;  ///< local health for others' silence alone
constexpr double effort_memory = 16;
constexpr double effort_usual = 1.75;  ///< of a network that loses a fifth, and no more
constexpr double patience_max = 4;
constexpr std::int64_t alone_interval_ms = 1000;  ///< of tries while nobody is reachable

}  // namespace

Prober::Prober(Outbox& outbox, Membership& members, std::function<std::uint64_t()> root)
    : out_(outbox),
      members_(members),
      root_(std::move(root)),
      health_(std::min(outbox.settings.local_health_first, outbox.settings.local_health_max)) {}

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
    frame.root = root_();
    members_.send(to, std::move(frame));
}

void Prober::probe_now(Index target) {
    const auto key = members_.key(target);
    const auto same = [&](const Probe& each) { return each.target == key; };
    if (target == members_.self() || !members_.reachable(target) || probes_.size() >= probes_max ||
        std::any_of(probes_.begin(), probes_.end(), same)) {
        return;
    }
    const auto& s = out_.settings;
    ++out_.counters.probes;
    Probe probe;
    probe.target = key;
    probe.sequence = ++sequence_;
    probe.repeat_at = out_.now_ms + scaled(s.probe_timeout_ms);
    probe.ends_at = out_.now_ms + scaled(s.probe_end_ms);
    probes_.push_back(std::move(probe));
    ping(target, sequence_);
}

void Prober::confirm(Index suspect) {
    const auto& active = members_.active();
    if (std::find(active.begin(), active.end(), suspect) != active.end()) probe_now(suspect);
}

void Prober::ask(Index member) {
    const auto second = out_.now_ms / 1000;
    if (second != asked_second_) asked_second_ = second, asked_ = 0;
    if (asked_++ < asks_max_s) ping(member, 0);
}

void Prober::take_ping(Index from, std::uint64_t sequence) {
    Frame frame;
    frame.type = FrameType::ack;
    frame.sequence = sequence;
    frame.root = root_();
    members_.send(from, std::move(frame));
}

void Prober::take_ping_request(Index from, MemberKey target, std::uint64_t sequence) {
    const auto to = members_.find_key(target);
    if (!to || *to == members_.self() || errands_.size() >= errands_max) return;
    const auto& s = out_.settings;
    Errand errand;
    errand.target = target;
    errand.asker = members_.key(from);
    errand.asker_sequence = sequence;
    errand.sequence = ++sequence_;
    errand.repeat_at = out_.now_ms + s.probe_repeat_ms;
    errand.nack_at = out_.now_ms + (s.probe_end_ms - s.probe_timeout_ms) * 3 / 4;
    errands_.push_back(errand);
    ping(*to, sequence_);
    confirm(*to);  // our own neighbour does not answer somebody: find out for ourselves
}

void Prober::take_ack(Index from, std::uint64_t sequence) {
    const auto key = members_.key(from);
    for (auto each = probes_.begin(); each != probes_.end(); ++each) {
        if (each->sequence != sequence) continue;
        const auto& helpers = each->helpers;
        if (key != each->target) {
            if (std::find(helpers.begin(), helpers.end(), key) == helpers.end()) return;
            const auto target = members_.find_key(each->target);
            if (target) members_.evidence(*target, out_.now_ms, from);
        }
        learn_effort(each->pings);
        probes_.erase(each);
        better();
        return;
    }
    // An answer after all: somebody is slow, and that may well be us.
    const auto late = std::find(failed_.begin(), failed_.end(), sequence);
    if (sequence != 0 && late != failed_.end()) {
        *late = 0;
        return worse();
    }
    for (auto each = errands_.begin(); each != errands_.end(); ++each) {
        if (each->sequence != sequence || each->target != key) continue;
        Frame frame;
        frame.type = FrameType::ack;
        frame.sequence = each->asker_sequence;
        frame.root = root_();
        if (const auto to = members_.find_key(each->asker)) members_.send(*to, std::move(frame));
        errands_.erase(each);
        return;
    }
}

/// What the network loses shows in how often the living have to be asked. Where that is much,
/// refutations get lost as well and need more time; the dead, who never answer, do not count.
void Prober::learn_effort(std::uint32_t pings) {
    effort_ += (static_cast<double>(pings) - effort_) / effort_memory;
    members_.set_patience(std::clamp(1 + 3 * (effort_ - effort_usual), 1.0, patience_max));
}

void Prober::take_nack(Index from, std::uint64_t sequence) {
    const auto key = members_.key(from);
    for (auto& probe : probes_) {
        if (probe.sequence != sequence) continue;
        // A helper counts once: it is forgotten as soon as it has said that it is awake.
        if (std::erase(probe.helpers, key) > 0) ++probe.nacks;
    }
}

void Prober::repeat(Probe& probe) {
    probe.repeat_at = out_.now_ms + scaled(out_.settings.probe_repeat_ms);
    const auto target = members_.find_key(probe.target);
    if (!target) return;
    ++probe.pings;
    ping(*target, probe.sequence);  // once more: the one before may just have been lost
    if (std::exchange(probe.asked_helpers, true)) return;
    for (const auto helper : members_.helpers_for(*target, out_.settings.indirect_probes)) {
        probe.helpers.push_back(members_.key(helper));
        Frame frame;
        frame.type = FrameType::ping_request;
        frame.target = probe.target;
        frame.sequence = probe.sequence;
        members_.send(helper, std::move(frame));
    }
}

void Prober::failed(const Probe& probe) {
    ++out_.counters.probes_failed;
    // Helpers that did not even say "no answer" point at ourselves, if nobody else was heard
    // either. Otherwise they are more likely as dead as the target, or behind the same cut.
    const bool deaf = out_.now_ms - members_.last_frame_ms() >= out_.settings.probe_interval_ms;
    if (deaf) worse(std::max<std::uint32_t>(1, static_cast<std::uint32_t>(probe.helpers.size())));
    else if (probe.nacks == 0 && health_ < silence_health_max) worse();
    failed_[failed_next_++ % failed_.size()] = probe.sequence;
    if (const auto target = members_.find_key(probe.target)) members_.accuse(*target);
}

std::optional<Index> Prober::next_in_round() {
    for (int rounds = 0; rounds < 2; ++rounds) {
        const auto& active = members_.active();
        while (!round_.empty()) {
            const auto i = members_.find_key(round_.back());
            round_.pop_back();
            // Suspects are probed when they are accused, and have a timer.
            if (i && members_.at(*i).state() != State::suspect &&
                std::find(active.begin(), active.end(), *i) != active.end()) {
                return i;
            }
        }
        for (const auto i : active) round_.push_back(members_.key(i));
        for (std::size_t i = round_.size(); i > 1; --i) {
            std::swap(round_[i - 1], round_[out_.random.below(i)]);
        }
    }
    return std::nullopt;
}

void Prober::tick() {
    probe_at_ = out_.now_ms + scaled(out_.settings.probe_interval_ms);
    const auto target = next_in_round();
    if (!target) return;
    if (members_.reachable(*target)) probe_now(*target);
    else ping(*target, 0);  // never heard of: nothing to accuse it of
}

void Prober::boot() {
    const auto& s = out_.settings;
    boot_at_ = never;
    if (members_.unknown_count() == 0 || ++boot_tries_ > boot_tries_max) return;
    boot_at_ = out_.now_ms + out_.random.jitter(s.boot_interval_ms);
    for (const auto i : members_.active()) {
        if (!members_.reachable(i)) ping(i, 0);
    }
    // These tell us of the others: tries at everybody would be a connection to everybody.
    if (members_.reachable_count() >= boot_enough) return;
    for (const auto to : members_.sample_lost(boot_fanout, true)) ping(to, 0);
}

void Prober::heal() {
    const bool alone = members_.reachable_count() == 0;
    const auto& s = out_.settings;
    heal_at_ =
        out_.now_ms + out_.random.jitter(alone ? std::min(alone_interval_ms, s.heal_interval_ms)
                                               : s.heal_interval_ms);
    for (const auto to : members_.sample_lost(1, false)) ping(to, 0);
}

void Prober::woke_up() {
    probes_.clear();
    errands_.clear();
    worse();
}

void Prober::run_probes() {
    std::vector<Probe> over;
    for (std::size_t i = 0; i < probes_.size();) {
        if (probes_[i].ends_at <= out_.now_ms) {
            over.push_back(std::move(probes_[i]));
            probes_.erase(probes_.begin() + static_cast<std::ptrdiff_t>(i));
            continue;
        }
        if (probes_[i].repeat_at <= out_.now_ms) repeat(probes_[i]);
        ++i;
    }
    for (const auto& probe : over) failed(probe);
}

void Prober::run_errands() {
    for (std::size_t i = 0; i < errands_.size();) {
        auto& errand = errands_[i];
        if (errand.nack_at > out_.now_ms) {
            if (errand.repeat_at <= out_.now_ms) {
                errand.repeat_at = out_.now_ms + out_.settings.probe_repeat_ms;
                if (const auto to = members_.find_key(errand.target)) ping(*to, errand.sequence);
            }
            ++i;
            continue;
        }
        Frame frame;
        frame.type = FrameType::nack;
        frame.sequence = errand.asker_sequence;
        if (const auto to = members_.find_key(errand.asker)) members_.send(*to, std::move(frame));
        errands_.erase(errands_.begin() + static_cast<std::ptrdiff_t>(i));
    }
}

void Prober::on_time() {
    run_probes();
    run_errands();
    if (out_.now_ms >= probe_at_) tick();
    if (out_.now_ms >= boot_at_) boot();
    if (out_.now_ms >= heal_at_) heal();
}

std::int64_t Prober::deadline() const {
    auto at = std::min({probe_at_, heal_at_, boot_at_});
    for (const auto& probe : probes_) at = std::min({at, probe.repeat_at, probe.ends_at});
    for (const auto& errand : errands_) at = std::min({at, errand.repeat_at, errand.nack_at});
    return at;
}

}  // namespace clarity::mesh
