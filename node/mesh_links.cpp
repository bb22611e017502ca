#include "node/mesh_links.hpp"

#include <algorithm>
#include <limits>

namespace clarity {
namespace {

constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();
constexpr unsigned doublings_max = 10;
constexpr unsigned patience_doublings = 2;

}  // namespace

MeshLinks::MeshLinks(LinkSettings settings, LinkActions actions)
    : settings_(std::move(settings)),
      actions_(std::move(actions)),
      random_(static_cast<std::uint_fast32_t>(settings_.seed)) {}

void MeshLinks::send(std::int64_t now_ms, const std::string& member, Bytes frame, Belief belief) {
    const bool guess = belief == Belief::unknown && !active_.contains(member);
    if (guess && !links_.contains(member) && !may_guess(now_ms)) {
        ++counters_.unsent;
        return;
    }
    auto& link = links_[member];
    link.used_ms = now_ms;
    const bool own_is_second = link.duplicate_ms >= 0 && link.in.has_value();
    if (link.out && link.out->is_up && !own_is_second) {
        return actions_.send(member, std::move(frame));
    }
    if (link.in) return actions_.reply(*link.in, std::move(frame));
    wait(now_ms, link, std::move(frame));
    if (link.out || now_ms < link.retry_ms || link.dial_ms >= 0) return;
    // To the dead and to strangers the other end has no reason to dial.
    if (we_dial(member) || belief == Belief::dead || !active_.contains(member)) {
        return dial(now_ms, member, link, guess);
    }
    link.dial_ms = now_ms + settings_.patience_alive_ms;
    link.dial_alone_ms =
        belief == Belief::alive ? link.dial_ms : now_ms + settings_.patience_unknown_ms;
}

std::int64_t MeshLinks::our_turn_ms(const Link& link, bool alone) const {
    return alone ? std::min(link.dial_alone_ms, link.dial_ms) : link.dial_ms;
}

bool MeshLinks::may_guess(std::int64_t now_ms) const {
    std::size_t under_way = 0;
    for (const auto& [member, link] : links_) {
        const bool dials = link.out && !link.out->is_up && !link.in;
        if (!dials) continue;
        const bool young = now_ms - link.out->since_ms < settings_.guess_after_ms;
        if (young || !active_.contains(member)) ++under_way;
    }
    return under_way < settings_.guesses_max;
}

void MeshLinks::wait(std::int64_t now_ms, Link& link, Bytes frame) {
    link.waiting_bytes += frame.size();
    link.waiting.emplace_back(now_ms, std::move(frame));
    while (link.waiting.size() > settings_.waiting_frames_max ||
           link.waiting_bytes > settings_.waiting_bytes_max) {
        link.waiting_bytes -= link.waiting.front().second.size();
        link.waiting.pop_front();
        ++counters_.unsent;
    }
}

void MeshLinks::drop_old(std::int64_t now_ms, Link& link) {
    while (!link.waiting.empty() &&
           now_ms - link.waiting.front().first >= settings_.frame_keep_ms) {
        link.waiting_bytes -= link.waiting.front().second.size();
        link.waiting.pop_front();
        ++counters_.unsent;
    }
}

void MeshLinks::flush(std::int64_t now_ms, const std::string& member, Link& link) {
    drop_old(now_ms, link);
    auto waiting = std::exchange(link.waiting, {});
    link.waiting_bytes = 0;
    for (auto& [since_ms, frame] : waiting) {
        if (link.out && link.out->is_up) actions_.send(member, std::move(frame));
        else actions_.reply(*link.in, std::move(frame));
    }
}

void MeshLinks::dial(std::int64_t now_ms, const std::string& member, Link& link, bool guess) {
    const auto addresses = actions_.addresses(member);
    link.dial_ms = -1;
    if (addresses.empty()) {
        link.retry_ms = now_ms + settings_.backoff_max_ms;
        return;
    }
    if (link.address >= addresses.size()) link.address = 0;
    // Who gives up too soon on a machine that is late makes it later: handshakes begun in vain.
    // Where there is no other address to try, nothing is won by it at all.
    const auto doublings = addresses.size() == 1 && !guess
                               ? patience_doublings
                               : std::min(link.failures, patience_doublings);
    const auto patience = settings_.dial_timeout_ms << doublings;
    link.out = Outgoing{addresses[link.address], false, guess, now_ms, now_ms + patience};
    ++counters_.dials;
    actions_.dial(member, link.out->endpoint);
}

void MeshLinks::hang_up(const std::string& member, Link& link) {
    link.duplicate_ms = -1;
    if (!link.out) return;
    link.out.reset();
    actions_.hang_up(member);
}

void MeshLinks::failed(std::int64_t now_ms, const std::string& member, Link& link) {
    const bool guess = link.out && link.out->guess;
    hang_up(member, link);
    if (++link.address < actions_.addresses(member).size()) {
        return dial(now_ms, member, link, guess);
    }
    if (guess) {  // another one is next
        counters_.unsent += link.waiting.size();
        link.waiting.clear();
        link.waiting_bytes = 0;
    }
    link.address = 0;
    const auto doublings = std::min(link.failures++, doublings_max);
    const auto backoff = std::min(settings_.backoff_min_ms << doublings, settings_.backoff_max_ms);
    link.retry_ms = now_ms + jittered(backoff);
}

std::int64_t MeshLinks::jittered(std::int64_t ms) {
    return std::uniform_int_distribution<std::int64_t>(ms / 2, ms)(random_);
}

void MeshLinks::set_active(std::int64_t now_ms, const std::vector<std::string>& members) {
    active_ = {members.begin(), members.end()};
    for (const auto& member : members) {
        if (!we_dial(member)) continue;
        auto& link = links_[member];
        if (!link.out && !link.in && now_ms >= link.retry_ms) dial(now_ms, member, link);
    }
}

void MeshLinks::up(std::int64_t now_ms, const std::string& member) {
    const auto at = links_.find(member);
    if (at == links_.end() || !at->second.out) return;
    auto& link = at->second;
    link.out->is_up = true;
    link.failures = 0;
    link.retry_ms = 0;
    link.address = 0;
    link.dial_ms = -1;
    link.used_ms = now_ms;
    actions_.answered(member, link.out->endpoint);
    if (link.in && !we_dial(member)) link.duplicate_ms = now_ms;
    flush(now_ms, member, link);
}

bool MeshLinks::down(std::int64_t now_ms, const std::string& member) {
    const auto at = links_.find(member);
    if (at == links_.end() || !at->second.out) return false;
    auto& link = at->second;
    hang_up(member, link);
    link.retry_ms = now_ms + jittered(settings_.backoff_min_ms);
    return !link.in && active_.contains(member);
}

bool MeshLinks::refused(std::int64_t now_ms, const std::string& member) {
    const auto at = links_.find(member);
    if (at == links_.end() || !at->second.out) return false;
    ++counters_.refused;
    failed(now_ms, member, at->second);
    return !at->second.in;
}

std::optional<std::string> MeshLinks::lost(std::int64_t now_ms, const wire::Handle& handle) {
    for (auto& [member, link] : links_) {
        if (!link.in || *link.in != handle) continue;
        link.in.reset();
        link.duplicate_ms = -1;
        link.used_ms = now_ms;
        if ((link.out && link.out->is_up) || !active_.contains(member)) return std::nullopt;
        return member;
    }
    return std::nullopt;
}

void MeshLinks::received(std::int64_t now_ms, const std::string& member) {
    const auto at = links_.find(member);
    if (at != links_.end()) at->second.used_ms = now_ms;
}

void MeshLinks::received(std::int64_t now_ms, const std::string& member, const wire::Handle& from) {
    auto& link = links_[member];
    link.used_ms = now_ms;
    link.dial_ms = -1;
    link.failures = 0;
    link.retry_ms = 0;
    if (!link.in || *link.in != from) link.in = from;
    if (link.out && !link.out->is_up) hang_up(member, link);
    if (link.out && !we_dial(member) && link.duplicate_ms < 0) link.duplicate_ms = now_ms;
    if (!link.waiting.empty()) flush(now_ms, member, link);
}

void MeshLinks::close(const std::string& member, bool is_dead) {
    const auto at = links_.find(member);
    if (at == links_.end()) return;
    if (is_dead && is_open(at->second)) ++counters_.dead_closed;
    if (at->second.in) actions_.cut(*at->second.in);
    hang_up(member, at->second);
    counters_.unsent += at->second.waiting.size();
    links_.erase(at);
}

void MeshLinks::address_changed(std::int64_t now_ms, const std::string& member) {
    const auto at = links_.find(member);
    if (at == links_.end() || is_open(at->second)) return;
    auto& link = at->second;
    const bool wanted = link.out || !link.waiting.empty() || active_.contains(member);
    hang_up(member, link);
    link.address = 0;
    link.failures = 0;
    link.retry_ms = 0;
    if (wanted) dial(now_ms, member, link);
}

void MeshLinks::step(std::int64_t now_ms, const std::string& member, Link& link) {
    drop_old(now_ms, link);
    if (link.out && !link.out->is_up && now_ms >= link.out->give_up_ms) {
        ++counters_.dials_failed;
        failed(now_ms, member, link);
    }
    if (link.duplicate_ms >= 0 && now_ms - link.duplicate_ms >= settings_.duplicate_close_ms) {
        ++counters_.duplicates;
        hang_up(member, link);
    }
    const bool active = active_.contains(member);
    if (link.out && link.out->is_up && !active &&
        now_ms - link.used_ms >= settings_.idle_close_ms) {
        ++counters_.idle_closed;
        hang_up(member, link);
    }
    if (link.out || link.in || now_ms < link.retry_ms) return;
    const bool our_turn =
        link.dial_ms >= 0 ? now_ms >= our_turn_ms(link, connections() == 0) : !link.waiting.empty();
    if ((our_turn && !link.waiting.empty()) || (active && we_dial(member))) {
        dial(now_ms, member, link);
    } else if (link.waiting.empty()) {
        link.dial_ms = -1;
    }
}

void MeshLinks::on_time(std::int64_t now_ms) {
    for (auto& [member, link] : links_) step(now_ms, member, link);
    std::erase_if(links_, [&](const auto& row) {
        const auto& link = row.second;
        return !link.out && !link.in && link.waiting.empty() && !active_.contains(row.first) &&
               now_ms - link.used_ms >= settings_.idle_close_ms;
    });
}

std::int64_t MeshLinks::deadline() const {
    auto out = never;
    const bool alone = connections() == 0;
    const auto at_latest = [&](std::int64_t when_ms) { out = std::min(out, when_ms); };
    for (const auto& [member, link] : links_) {
        const bool active = active_.contains(member);
        if (!link.waiting.empty()) at_latest(link.waiting.front().first + settings_.frame_keep_ms);
        if (link.duplicate_ms >= 0) at_latest(link.duplicate_ms + settings_.duplicate_close_ms);
        if (link.out && !link.out->is_up) at_latest(link.out->give_up_ms);
        // What the other end opened, it closes.
        if (!active && !link.in) at_latest(link.used_ms + settings_.idle_close_ms);
        if (link.out || link.in) continue;
        if (link.dial_ms >= 0) at_latest(std::max(our_turn_ms(link, alone), link.retry_ms));
        else if (!link.waiting.empty() || (active && we_dial(member))) at_latest(link.retry_ms);
    }
    return out;
}

std::size_t MeshLinks::connections() const {
    std::size_t out = 0;
    for (const auto& [member, link] : links_) {
        out += (link.out && link.out->is_up ? 1U : 0U) + (link.in ? 1U : 0U);
    }
    return out;
}

std::vector<std::string> MeshLinks::members() const {
    std::vector<std::string> out;
    for (const auto& [member, link] : links_) out.push_back(member);
    return out;
}

}  // namespace clarity
