#include "protocol/wire/peer.hpp"

#include <algorithm>

namespace clarity::wire {
namespace {

constexpr auto dropped_every = std::chrono::milliseconds(500);
/// TCP (3 s), CURVE (5 s) and the greeting: without an end by then there is none to come.
constexpr auto up_within = std::chrono::seconds(10);

}  // namespace

Peer::Peer(Common& common, ConnectSettings settings)
    : common_(common),
      settings_(std::make_shared<const ConnectSettings>(std::move(settings))),
      origin_(std::make_shared<const Origin>(Origin{"to " + settings_->peer,
                                                    [settings = settings_](Bytes frame) {
                                                        if (settings->on_frame)
                                                            settings->on_frame(std::move(frame));
                                                    }})),
      greets_(!settings_->greeting.site.empty()),
      keepalive_s_(settings_->keepalive_s) {
    dial(Clock::now());
}

Peer::~Peer() {
    close();
}

void Peer::dial(Clock::time_point now) {
    dialled_ = now;
    try {
        socket_ = std::make_unique<MonitoredSocket>(common_.context, zmq::socket_type::dealer,
                                                    &common_.sleeper);
        auto& socket = socket_->socket;
        set_common_options(socket, common_.limits);
        socket.set(zmq::sockopt::reconnect_ivl, -1);
        socket.set(zmq::sockopt::immediate, true);
        if (settings_->heartbeat_ms > 0) set_heartbeat(socket, settings_->heartbeat_ms);
        wire::set_keepalive(socket, keepalive_s_, settings_->keepalive_again_s,
                            settings_->unacknowledged_ms);
        set_curve_client(socket, common_.secret, common_.own_key, settings_->server_key);
        socket.connect(settings_->endpoint);
    } catch (const zmq::error_t&) {  // an endpoint that does not parse, or no sockets left
        refused(now);
    }
}

void Peer::close() {
    if (fd_ >= 0) common_.guard.closed(fd_);
    fd_ = -1;
    socket_.reset();
    said_greeting_ = heard_greeting_ = is_up_ = false;
}

void Peer::set_keepalive(int keepalive_s) {
    keepalive_s_ = keepalive_s;
    if (fd_ >= 0) wire::set_keepalive(fd_, keepalive_s);
}

void Peer::ended(Clock::time_point now) {
    const bool was_up = is_up_;
    close();
    const auto& limits = common_.limits;
    redial_ms_ = std::clamp(redial_ms_ * 2, limits.redial_min_ms, limits.redial_max_ms);
    retry_at_ = now + common_.jittered(redial_ms_);
    if (was_up) tell(PeerEvent::down);
}

void Peer::refused(Clock::time_point now) {
    close();
    const auto& limits = common_.limits;
    backoff_ms_ = std::clamp(backoff_ms_ * 2, limits.backoff_min_ms, limits.backoff_max_ms);
    retry_at_ = now + common_.jittered(backoff_ms_);
    tell(PeerEvent::refused);
}

void Peer::came_up() {
    is_up_ = true;
    redial_ms_ = backoff_ms_ = 0;
    tell(PeerEvent::up);
}

void Peer::tell(PeerEvent event) {
    if (!settings_->on_event) return;
    if (event == PeerEvent::dropped) {
        const auto now = Clock::now();
        if (now - told_dropped_ < dropped_every) return;
        told_dropped_ = now;
    }
    common_.inbox->event([settings = settings_, event] { settings->on_event(event); });
}

bool Peer::put(const Bytes& frame, Clock::time_point now) {
    try {
        socket_->socket_ready.used();
        auto& socket = socket_->socket;
        if (!socket.send(zmq::buffer(frame), zmq::send_flags::dontwait)) {
            // A send looks for news of its pipes once a millisecond only; asking for events does.
            (void)socket.get(zmq::sockopt::events);
            if (!socket.send(zmq::buffer(frame), zmq::send_flags::dontwait)) return false;
        }
    } catch (const zmq::error_t&) {
        return false;
    }
    common_.guard.sent(fd_, frame.size(), now);
    return true;
}

bool Peer::greet(Clock::time_point now) {
    if (!socket_) return false;
    if (!greets_ || said_greeting_) return true;
    said_greeting_ = put(settings_->greeting.encode(), now);
    return said_greeting_;
}

Peer::Sent Peer::try_send(const Bytes& frame, Clock::time_point now) {
    if (!greet(now)) return Sent::unconnected;
    if (!common_.guard.may_send(fd_, frame.size(), now)) return Sent::slow;
    if (!put(frame, now)) return is_up_ ? Sent::slow : Sent::unconnected;
    ++common_.counters.frames_out;
    common_.counters.bytes_out += frame.size();
    return Sent::yes;
}

void Peer::send(Bytes frame, Clock::time_point now) {
    const bool in_line = !waiting_.empty();
    const auto outcome = in_line ? Sent::unconnected : try_send(frame, now);
    if (outcome == Sent::yes) return;
    if (outcome == Sent::slow) {
        ++common_.counters.dropped_slow;
        common_.complaints.dropped(origin_->user);
        return tell(PeerEvent::dropped);
    }
    if (waiting_.size() >= common_.limits.waiting_frames) {
        ++common_.counters.dropped_full;
        waiting_.pop_front();
    }
    waiting_.emplace_back(now, std::move(frame));
}

void Peer::flush(Clock::time_point now) {
    const auto oldest = now - std::chrono::milliseconds(common_.limits.waiting_ms);
    while (!waiting_.empty()) {
        if (waiting_.front().first <= oldest) {
            ++common_.counters.dropped_slow;
            tell(PeerEvent::dropped);
        } else if (try_send(waiting_.front().second, now) != Sent::yes) {
            return;
        }
        waiting_.pop_front();
    }
}

bool Peer::check_greeting(const Bytes& frame, Clock::time_point now) {
    const auto theirs = Greeting::decode(frame);
    std::optional<std::string> why;
    if (!theirs) why = "did not say first which site it is of (an agent of another version?)";
    else why = disagreement(settings_->greeting, *theirs);
    heard_greeting_ = true;
    if (!why) {
        came_up();
        return true;
    }
    ++common_.counters.greetings_refused;
    common_.complaints.cut(origin_->user);
    common_.complaints.say(now, "greeting", origin_->user,
                           fmt::format("{} at {} {}; no connection is kept to it", settings_->peer,
                                       settings_->endpoint, *why));
    refused(now);
    return false;
}

void Peer::read(Clock::time_point now) {
    if (socket_) socket_->socket_ready.used();
    for (int i = 0; i < burst && socket_; ++i) {
        auto got = receive(socket_->socket);
        if (!got) return;
        common_.guard.delivered(fd_);
        if (!got->whole) {
            ++common_.counters.dropped_malformed;
            ++common_.counters.connections_cut;
            common_.complaints.cut(origin_->user);
            return ended(now);
        }
        if (greets_ && !heard_greeting_) {
            if (!check_greeting(got->frame, now)) return;
            continue;
        }
        const auto size = got->frame.size();
        if (common_.inbox->offer(origin_, std::move(got->frame))) {
            ++common_.counters.frames_in;
            common_.counters.bytes_in += size;
        } else {
            ++common_.counters.dropped_full;
            common_.complaints.dropped(origin_->user);
        }
    }
}

void Peer::watch(Clock::time_point now) {
    if (socket_) socket_->monitor_ready.used();
    while (socket_) {
        const auto seen = socket_->next_event();
        if (!seen) return;
        switch (seen->event) {
            case ZMQ_EVENT_CONNECTED:
                fd_ = seen->value;
                common_.guard.connected(fd_, origin_->user, now);
                break;
            case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
                if (!greets_) came_up();
                else (void)greet(now);
                break;
            case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
            case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL: return refused(now);
            case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
            case ZMQ_EVENT_CLOSED:
            case ZMQ_EVENT_DISCONNECTED:
                read(now);  // what came before the end
                if (socket_) ended(now);
                return;
            default: break;
        }
    }
}

void Peer::on_time(Clock::time_point now) {
    if (socket_ && !is_up_ && now - dialled_ >= up_within) ended(now);
    if (!socket_ && now >= retry_at_) {
        ++common_.counters.reconnects;
        dial(now);
    }
    if (owes_greeting()) (void)greet(now);
    if (!waiting_.empty()) flush(now);
}

std::optional<Clock::time_point> Peer::due() const {
    std::optional<Clock::time_point> out;
    if (!socket_) out = retry_at_;
    else if (!is_up_) out = dialled_ + up_within;
    if (!waiting_.empty()) {
        const auto stale =
            waiting_.front().first + std::chrono::milliseconds(common_.limits.waiting_ms);
        out = out ? std::min(*out, stale) : stale;
    }
    return out;
}

}  // namespace clarity::wire
