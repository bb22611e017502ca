#include "protocol/wire/door.hpp"

#include <sys/stat.h>

#include <algorithm>

namespace clarity::wire {
namespace {

constexpr std::string_view ipc = "ipc://";
/// A refused connection still gets our greeting, which tells its owner why.
constexpr auto last_word = std::chrono::milliseconds(500);
/// Frames of a closed connection may still be on their way through libzmq.
constexpr auto remembered = std::chrono::seconds(30);
/// libzmq's own routing ids: a zero byte and a number. Others are claims of the peer's.
constexpr std::size_t route_bytes = 5;

std::string bind_advice(int error, const std::string& setting) {
    switch (error) {
        case EADDRINUSE:
            return fmt::format("is in use; stop the other program or change {}", setting);
        case EADDRNOTAVAIL: return fmt::format("is no address of this host; change {}", setting);
        case EACCES: return "may not be bound; start as root or take a port above 1023";
        default:
            return fmt::format("cannot be bound: {} (setting {})", zmq_strerror(error), setting);
    }
}

std::string_view view(const zmq::message_t& message) {
    return {message.data<char>(), message.size()};
}

}  // namespace

Door::Door(Common& common, std::uint32_t id, ListenSettings settings)
    : common_(common),
      id_(id),
      settings_(std::make_shared<const ListenSettings>(std::move(settings))) {
    if (!settings_->greeting.site.empty()) greeting_ = settings_->greeting.encode();
}

Result<std::string> Door::open() {
    const auto& endpoint = settings_->endpoint;
    const bool local = endpoint.starts_with(ipc);
    if (!settings_->curve && !local) {
        return fail(Errc::invalid, "{} {}: without CURVE only ipc:// is allowed",
                    settings_->setting, endpoint);
    }
    try {
        socket_ = std::make_unique<MonitoredSocket>(common_.context, zmq::socket_type::router,
                                                    &common_.sleeper);
        auto& socket = socket_->socket;
        set_common_options(socket, common_.limits);
        set_keepalive(socket, settings_->keepalive_s, listener_keepalive_again_s,
                      listener_unacknowledged_ms);
        socket.set(zmq::sockopt::router_mandatory, true);
        if (settings_->curve) {
            socket.set(zmq::sockopt::zap_domain, std::to_string(id_));
            socket.set(zmq::sockopt::curve_server, true);
            socket.set(zmq::sockopt::curve_secretkey, zmq::buffer(common_.secret.data));
        }
        socket.bind(endpoint);
        if (local) chmod(endpoint.c_str() + ipc.size(), settings_->ipc_mode);
        return socket.get(zmq::sockopt::last_endpoint);
    } catch (const zmq::error_t& error) {
        return fail(Errc::network, "{} {} {}", settings_->setting, endpoint,
                    bind_advice(error.num(), settings_->setting));
    }
}

void Door::set_authorised(std::map<CurveKey, std::string> users) {
    users_.clear();
    for (auto& [key, user] : users) users_.emplace(key.hex(), std::move(user));
    for (auto& [route, session] : sessions_) {
        if (session.kind == Kind::refused || session.key.empty()) continue;
        const auto* user = user_of(session.key);
        // Another name is another member: it starts anew under that.
        if (user == nullptr || *user != session.origin->user) refuse(session);
    }
}

const std::string* Door::user_of(const Bytes& key) const {
    const auto at = users_.find(key);
    return at == users_.end() ? nullptr : &at->second;
}

void Door::read(Clock::time_point now) {
    socket_->socket_ready.used();
    for (int i = 0; i < burst; ++i) {
        zmq::message_t route;
        zmq::message_t body;
        if (!socket_->socket.recv(route, zmq::recv_flags::dontwait)) return;
        if (!route.more() || !socket_->socket.recv(body)) continue;
        const bool whole = !body.more();
        zmq::message_t rest;
        for (bool more = !whole; more; more = rest.more()) {
            if (!socket_->socket.recv(rest)) break;
        }
        take(route, body, whole, now);
    }
}

void Door::take(const zmq::message_t& route, zmq::message_t& body, bool whole,
                Clock::time_point now) {
    const auto at = sessions_.find(view(route));
    const bool is_new = at == sessions_.end();
    auto& session = is_new ? admit(route, body, whole, now) : at->second;
    if (session.kind == Kind::refused) {
        if (!is_new) ++common_.counters.dropped_malformed;
        return;
    }
    if (!whole) {
        ++common_.counters.dropped_malformed;
        common_.complaints.cut(session.origin->user);
        return refuse(session);
    }
    const bool says_hello = !greeting_.empty() && Greeting::is(view(body));
    if (says_hello && is_new) return;  // that was it
    const bool question = settings_->ungreeted.find(view(body).substr(0, 1)) != std::string::npos;
    if (says_hello || (session.kind == Kind::asking && (body.size() == 0 || !question))) {
        ++common_.counters.dropped_malformed;
        common_.complaints.cut(session.origin->user);
        return refuse(session);
    }
    session.heard = now;
    common_.guard.delivered(session.fd);
    deliver(session, body.to_string(), now);
}

Door::Session& Door::admit(const zmq::message_t& route, zmq::message_t& body, bool whole,
                           Clock::time_point now) {
    watch(now);  // what the monitor tells of this descriptor's former life comes first
    while (!closed_.empty() && now - closed_.front().first > remembered) {
        sessions_.erase(closed_.front().second);
        closed_.pop_front();
    }
    auto& session = sessions_[route.to_string()];
    session.heard = now;
    session.fd = zmq_msg_get(body.handle(), ZMQ_SRCFD);
    session.handle = {id_, route.to_string(), {}};
    std::string user = "local";
    if (settings_->curve) {
        const char* key = zmq_msg_gets(body.handle(), "User-Id");
        session.key = key == nullptr ? "" : key;
        const auto* known = user_of(session.key);
        if (const auto parsed = CurveKey::from_hex(session.key)) session.handle.key = *parsed;
        if (known == nullptr) {
            ++common_.counters.dropped_unauthorised;
            session.origin = std::make_shared<const Origin>(Origin{"", {}});
            refuse(session);
            return session;
        }
        user = *known;
        common_.admission.heard(session.key);
    }
    session.origin = std::make_shared<const Origin>(
        Origin{user, [settings = settings_, user, from = session.handle](Bytes frame) {
                   settings->on_frame(user, from, std::move(frame));
               }});
    if (!common_.guard.proven(session.fd, user, now)) session.fd = -1;  // closed by now
    if (session.fd >= 0) {
        routes_[session.fd] = session.handle.route;
        if (settings_->curve) keyed_[session.key].routes.push_back(session.handle.route);
    }
    if (route.size() != route_bytes || view(route).front() != '\0') {
        complain(session, "route", "claims a routing id; its connection was cut", now);
        common_.complaints.cut(user);
        refuse(session);
        return session;
    }
    if (whole) judge(session, view(body), now);
    else session.kind = Kind::plain;  // take() cuts it
    if (session.kind != Kind::refused) keep_to_limits(session);
    return session;
}

/// Decides by its first frame what a connection is.
void Door::judge(Session& session, std::string_view first_frame, Clock::time_point now) {
    if (greeting_.empty()) {
        session.kind = Kind::plain;
    } else if (Greeting::is(first_frame)) {
        greet(session, first_frame, now);
    } else if (!first_frame.empty() &&
               settings_->ungreeted.find(first_frame.front()) != std::string::npos) {
        session.kind = Kind::asking;
    } else {
        ++common_.counters.greetings_refused;
        complain(session, "greeting",
                 "did not say first which site it is of (an agent of another version?); its "
                 "connection was cut",
                 now);
        common_.complaints.cut(session.origin->user);
        refuse(session);
    }
}

void Door::greet(Session& session, std::string_view frame, Clock::time_point now) {
    const auto theirs = Greeting::decode(frame);
    std::optional<std::string> why;
    if (!theirs) why = theirs.error().message;
    else why = disagreement(settings_->greeting, *theirs);
    if (!why) session.kind = Kind::greeted;
    (void)give(session, greeting_, now);
    if (!why) return;
    ++common_.counters.greetings_refused;
    complain(session, "greeting", *why + "; its connection was cut", now);
    common_.complaints.cut(session.origin->user);
    common_.guard.cut_at(session.fd, now + last_word);
}

void Door::deliver(Session& session, Bytes frame, Clock::time_point now) {
    auto& counters = common_.counters;
    const auto size = frame.size();
    if (common_.inbox->offer(session.origin, std::move(frame))) {
        ++counters.frames_in;
        counters.bytes_in += size;
        return;
    }
    ++counters.dropped_full;
    common_.complaints.dropped(session.origin->user);
    const auto at = keyed_.find(session.key);
    if (at == keyed_.end()) return;
    auto& keyed = at->second;
    if (now - keyed.drops_since > std::chrono::milliseconds(common_.limits.flood_window_ms)) {
        keyed.drops_since = now;
        keyed.drops = 0;
    }
    if (++keyed.drops >= common_.limits.flood_frames) flooded(session, now);
}

void Door::flooded(const Session& session, Clock::time_point now) {
    ++common_.counters.floods;
    complain(session, "flood",
             fmt::format("floods this server with frames; its connections were cut and it stays "
                         "out for {} s",
                         common_.limits.barred_ms / 1000),
             now);
    common_.admission.bar(session.key, now + std::chrono::milliseconds(common_.limits.barred_ms));
    auto& keyed = keyed_[session.key];
    keyed.drops = 0;
    const auto routes = keyed.routes;
    for (const auto& route : routes) {
        common_.complaints.cut(session.origin->user);
        refuse(sessions_.at(route));
    }
}

/// One key's connections are few: the longest silent of them makes room for the newest.
void Door::keep_to_limits(const Session& newest) {
    const auto at = keyed_.find(newest.key);
    if (at == keyed_.end()) return;
    const auto most = newest.kind == Kind::asking ? common_.limits.asking_connections_per_user
                                                  : common_.limits.connections_per_user;
    std::size_t count = 0;
    Session* oldest = nullptr;
    for (const auto& route : at->second.routes) {
        auto& each = sessions_.at(route);
        if (each.kind != newest.kind) continue;
        ++count;
        if (&each != &newest && (oldest == nullptr || each.heard < oldest->heard)) oldest = &each;
    }
    if (count <= most || oldest == nullptr) return;
    common_.complaints.cut(newest.origin->user);
    refuse(*oldest);
}

bool Door::give(const Session& session, const Bytes& frame, Clock::time_point now) {
    socket_->socket_ready.used();
    auto& socket = socket_->socket;
    if (!common_.guard.may_send(session.fd, frame.size(), now)) return false;
    try {
        const auto flags = zmq::send_flags::sndmore | zmq::send_flags::dontwait;
        if (!socket.send(zmq::buffer(session.handle.route), flags)) {
            // A send looks for news of its pipes once a millisecond only; asking for events does.
            (void)socket.get(zmq::sockopt::events);
            if (!socket.send(zmq::buffer(session.handle.route), flags)) return false;
        }
        if (!socket.send(zmq::buffer(frame), zmq::send_flags::dontwait)) return false;
    } catch (const zmq::error_t&) {  // EHOSTUNREACH: gone; its monitor says so
        return false;
    }
    common_.guard.sent(session.fd, frame.size(), now);
    return true;
}

void Door::reply(const Handle& to, Bytes frame, Clock::time_point now) {
    const auto at = sessions_.find(to.route);
    if (at == sessions_.end() || at->second.fd < 0) {
        ++common_.counters.dropped_slow;
        if (!settings_->on_lost) return;
        return common_.inbox->event([settings = settings_, to] { settings->on_lost(to); });
    }
    auto& session = at->second;
    if (session.kind == Kind::refused) {
        ++common_.counters.dropped_unauthorised;
    } else if (give(session, frame, now)) {
        ++common_.counters.frames_out;
        common_.counters.bytes_out += frame.size();
    } else {
        ++common_.counters.dropped_slow;
        common_.complaints.dropped(session.origin->user);
    }
}

void Door::cut(const Handle& handle) {
    const auto at = sessions_.find(handle.route);
    if (at != sessions_.end()) refuse(at->second);
}

void Door::refuse(Session& session) {
    const auto fd = session.fd;
    session.kind = Kind::refused;
    left(session, Clock::now());
    common_.counters.connections_cut += common_.guard.cut(fd) ? 1U : 0U;
}

/// A session that is over stays known for a while: what it sent may come later than its end.
void Door::left(Session& session, Clock::time_point now) {
    if (session.fd >= 0) {
        routes_.erase(session.fd);
        session.fd = -1;
        if (settings_->on_lost && session.origin->deliver) {
            common_.inbox->event(
                [settings = settings_, gone = session.handle] { settings->on_lost(gone); });
        }
    }
    closed_.emplace_back(now, session.handle.route);
    const auto at = keyed_.find(session.key);
    if (at == keyed_.end()) return;
    std::erase(at->second.routes, session.handle.route);
    const bool counting =
        at->second.drops != 0 &&
        now - at->second.drops_since < std::chrono::milliseconds(common_.limits.flood_window_ms);
    if (at->second.routes.empty() && !counting) keyed_.erase(at);
}

void Door::closed(int fd, Clock::time_point now) {
    common_.guard.closed(fd);
    const auto at = routes_.find(fd);
    if (at == routes_.end()) return;
    const auto session = sessions_.find(at->second);
    if (session != sessions_.end()) left(session->second, now);
}

void Door::watch(Clock::time_point now) {
    socket_->monitor_ready.used();
    while (const auto seen = socket_->next_event()) {
        switch (seen->event) {
            case ZMQ_EVENT_ACCEPTED: common_.guard.accepted(seen->value, now); break;
            case ZMQ_EVENT_DISCONNECTED:
            case ZMQ_EVENT_CLOSED: closed(seen->value, now); break;
            case ZMQ_EVENT_ACCEPT_FAILED:
                common_.complaints.say(now, "accept", settings_->setting,
                                       fmt::format("{}: a connection could not be taken: {}",
                                                   settings_->setting, zmq_strerror(seen->value)));
                break;
            default: break;
        }
    }
}

void Door::complain(const Session& session, std::string_view kind, std::string_view what,
                    Clock::time_point now) {
    common_.complaints.say(now, kind, session.origin->user,
                           fmt::format("{}: {} at {} {}", settings_->setting, session.origin->user,
                                       common_.guard.address_of(session.fd), what));
}

}  // namespace clarity::wire
