#include "protocol/wire/network.hpp"

#include <algorithm>
#include <climits>
#include <limits>

#include "protocol/keys.hpp"

namespace clarity::wire {
namespace {

constexpr auto look_apart_min = std::chrono::milliseconds(5);
constexpr auto look_by_clock = std::chrono::milliseconds(100);
/// Looking takes at most a tenth of the time, however many connections there are.
constexpr int look_share = 10;

LinkGuard::Limits guard_limits(const Limits& limits) {
    return {.unfinished_bytes = limits.unfinished_bytes,
            .unfinished_total_bytes = limits.unfinished_total_bytes,
            .unread_bytes = limits.unacknowledged_bytes,
            .unread_total_bytes = limits.unacknowledged_total_bytes,
            .connections = limits.connections,
            .unproven = limits.unproven_connections,
            .accepts_per_s = limits.accepts_per_s_and_address,
            .accepts_burst = limits.accepts_burst,
            .first_frame = std::chrono::milliseconds(limits.first_frame_ms),
            .stalled = std::chrono::milliseconds(limits.stalled_ms)};
}

std::string_view sentence(LinkGuard::Why why) {
    switch (why) {
        case LinkGuard::Why::endless: return "sends a message that does not end";
        case LinkGuard::Why::stalled: return "takes nothing of what it is sent";
        case LinkGuard::Why::silent: return "connected and said nothing";
        case LinkGuard::Why::crowded: return "is one connection too many";
        case LinkGuard::Why::hasty: return "opens connections without pause";
        case LinkGuard::Why::condemned: return "was refused";
    }
    return {};
}

}  // namespace

Network::Network(const Settings& settings, std::shared_ptr<Inbox> inbox, Counters& counters,
                 Complaints& complaints, int wake_fd)
    : common_{settings.limits,
              settings.secret,
              curve_public_of(settings.secret),
              std::move(inbox),
              counters,
              complaints,
              zmq::context_t(1),
              {},
              LinkGuard(guard_limits(settings.limits)),
              Admission({.handshakes_per_s = settings.limits.handshakes_per_s_and_key,
                         .handshakes_burst = settings.limits.handshakes_burst,
                         .silent_for = std::chrono::milliseconds(settings.limits.first_frame_ms)}),
              std::minstd_rand(
                  static_cast<std::uint_fast32_t>(std::hash<std::string>{}(random_bytes(8))))},
      zap_(common_.context,
           [this](const std::string& domain, const Bytes& key) { return allowed(domain, key); }) {
    common_.sleeper.wake_by(wake_fd);
}

Zap::Answer Network::allowed(const std::string& domain, const Bytes& key) {
    for (const auto& [id, door] : doors_) {
        if (std::to_string(id) != domain) continue;
        const auto* user = door.user_of(key);
        if (user == nullptr) break;
        if (common_.admission.admit(key, Clock::now())) return Zap::Answer::yes;
        ++common_.counters.handshakes_limited;
        common_.complaints.refused(*user);
        return Zap::Answer::later;
    }
    ++common_.counters.handshakes_refused;
    return Zap::Answer::no;
}

Result<Listener> Network::listen(ListenSettings settings) {
    const auto id = next_listener_++;
    const auto [at, added] = doors_.try_emplace(id, common_, id, std::move(settings));
    auto endpoint = at->second.open();
    if (!endpoint) {
        doors_.erase(at);
        return tl::unexpected<Error>(std::move(endpoint).error());
    }
    return Listener{id, *endpoint};
}

void Network::set_authorised(std::uint32_t listener, std::map<CurveKey, std::string> users) {
    const auto at = doors_.find(listener);
    if (at != doors_.end()) at->second.set_authorised(std::move(users));
}

void Network::connect(ConnectSettings settings) {
    const auto at = peers_.find(settings.peer);
    if (at != peers_.end()) {
        const auto& now = at->second.settings();
        if (now.endpoint == settings.endpoint && now.server_key == settings.server_key &&
            now.greeting == settings.greeting && now.heartbeat_ms == settings.heartbeat_ms) {
            return;
        }
        peers_.erase(at);
    }
    const auto name = settings.peer;
    peers_.try_emplace(name, common_, std::move(settings));
}

void Network::set_keepalive(const std::string& name, int keepalive_s) {
    if (const auto at = peers_.find(name); at != peers_.end())
        at->second.set_keepalive(keepalive_s);
}

void Network::disconnect(const std::string& name) {
    peers_.erase(name);
}

void Network::send(const std::string& name, Bytes frame) {
    const auto at = peers_.find(name);
    if (at != peers_.end()) at->second.send(std::move(frame), Clock::now());
}

void Network::reply(const Handle& to, Bytes frame) {
    const auto at = doors_.find(to.listener);
    if (at != doors_.end()) at->second.reply(to, std::move(frame), Clock::now());
}

void Network::cut(const Handle& handle) {
    const auto at = doors_.find(handle.listener);
    if (at != doors_.end()) at->second.cut(handle);
}

/// What to ask: ZAP, two for each door, two for each peer that has a socket.
void Network::collect() {
    watched_.clear();
    polled_peers_.clear();
    watched_.push_back({&zap_.ready(), ZMQ_POLLIN, 0});
    const auto add = [&](MonitoredSocket& socket, int wanted) {
        watched_.push_back({&socket.socket_ready, wanted, 0});
        watched_.push_back({&socket.monitor_ready, ZMQ_POLLIN, 0});
    };
    for (auto& [id, door] : doors_) add(door.socket(), ZMQ_POLLIN);
    for (auto& [name, peer] : peers_) {
        auto* socket = peer.socket();
        if (socket == nullptr) continue;
        if (peer.wants_out()) socket->socket_ready.used();
        add(*socket, peer.wants_out() ? ZMQ_POLLIN | ZMQ_POLLOUT : ZMQ_POLLIN);
        polled_peers_.push_back(&peer);
    }
}

/// Sleeps unless a socket has something already. True when `wake_fd` is readable.
bool Network::wait(bool pulse) {
    bool found = false;
    for (auto& each : watched_) {
        each.found = each.ready->events() & each.wanted;
        found = found || each.found != 0;
    }
    const auto wait = found ? 0 : static_cast<int>(std::min<long>(wait_ms(pulse), INT_MAX));
    const bool woken = common_.sleeper.sleep(wait);
    for (auto& each : watched_) each.found |= each.ready->events() & each.wanted;
    return woken;
}

bool Network::turn(std::atomic<bool>& beat, bool pulse) {
    collect();
    const bool woken = wait(pulse);
    look_ = beat.exchange(false) || !pulse || look_;
    // What the owner said before a handshake or frame came is done before it: a key that was let in
    // is not refused. Not twice in a row, so that commands starve no socket.
    const auto found = [](const Watched& each) { return each.found != 0; };
    sockets_put_off_ =
        woken && !sockets_put_off_ && std::any_of(watched_.begin(), watched_.end(), found);
    if (sockets_put_off_) {
        for (auto& each : watched_) {
            if (found(each)) each.ready->used();  // to be asked again
        }
        return true;
    }
    const auto now = Clock::now();
    if (watched_[0].found != 0) zap_.answer();
    std::size_t at = 1;
    for (auto& [id, door] : doors_) {
        if (watched_[at + 1].found != 0) door.watch(now);
        if (watched_[at].found != 0) door.read(now);
        at += 2;
    }
    for (auto* peer : polled_peers_) {
        if (watched_[at + 1].found != 0) peer->watch(now);
        if ((watched_[at].found & ZMQ_POLLIN) != 0) peer->read(now);
        at += 2;
    }
    for (auto& [name, peer] : peers_) peer.on_time(now);
    const auto due = common_.guard.due();
    if ((look_ && now >= next_look_) || (due && now >= *due)) look(now);
    report_cuts(now);
    return woken;
}

void Network::look(Clock::time_point now) {
    look_ = false;
    common_.guard.sweep(now);
    next_look_ = now + std::max<Clock::duration>(look_apart_min, (Clock::now() - now) * look_share);
}

void Network::report_cuts(Clock::time_point now) {
    for (const auto& cut : common_.guard.take_cuts()) {
        ++common_.counters.connections_cut;
        if (cut.why == LinkGuard::Why::condemned)
            continue;  // the rest was done when it was refused
        if (!cut.user.empty()) common_.complaints.cut(cut.user);
        const auto who = cut.user.empty() ? std::string("somebody") : cut.user;
        common_.complaints.say(now, "cut", who,
                               fmt::format("{} at {} {}; the connection was cut", who, cut.address,
                                           sentence(cut.why)));
    }
}

/// Milliseconds until something is due; -1 = nothing is.
long Network::wait_ms(bool pulse) const {
    auto due = common_.guard.due();
    const auto by = [&](Clock::time_point time) { due = due ? std::min(*due, time) : time; };
    if (look_) by(next_look_);
    const auto now = Clock::now();
    if (!pulse && common_.guard.size() != 0) by(now + look_by_clock);
    for (const auto& [name, peer] : peers_) {
        if (const auto time = peer.due()) by(*time);
    }
    if (!due) return -1;
    if (*due <= now) return 0;
    return static_cast<long>(std::chrono::ceil<std::chrono::milliseconds>(*due - now).count());
}

}  // namespace clarity::wire
