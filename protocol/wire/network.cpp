#include "protocol/wire/network.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <ctime>

#include "protocol/keys.hpp"

namespace clarity::wire {
namespace {

/// Messages read from one socket before the others get their turn.
constexpr int burst = 64;
constexpr auto sweep_every = std::chrono::milliseconds(100);
constexpr auto sweep_at_rest = std::chrono::seconds(2);
constexpr auto work_of_note = std::chrono::milliseconds(5);
constexpr auto dropped_every = std::chrono::milliseconds(500);

bool is_ipc(const std::string& endpoint) {
    return endpoint.starts_with("ipc://");
}

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

}  // namespace

Network::Network(Settings settings, std::shared_ptr<Inbox> inbox, Counters& counters)
    : settings_(std::move(settings)),
      public_(curve_public_of(settings_.secret)),
      inbox_(std::move(inbox)),
      counters_(counters),
      guard_(settings_.limits.unfinished_bytes),
      zap_(context_,
           [this](const std::string& domain, const CurveKey& key) {
               for (const auto& [id, door] : doors_) {
                   if (std::to_string(id) == domain) return door.users.contains(key.hex());
               }
               return false;
           }),
      random_(static_cast<std::uint_fast32_t>(std::hash<std::string>{}(random_bytes(8)))) {}

Result<Listener> Network::listen(ListenSettings settings) {
    const auto id = next_listener_++;
    Door door{std::move(settings), nullptr, {}, {}};
    const auto& endpoint = door.settings.endpoint;
    if (!door.settings.curve && !is_ipc(endpoint)) {
        return fail(Errc::invalid, "{} {}: without CURVE only ipc:// is allowed",
                    door.settings.setting, endpoint);
    }
    try {
        door.socket = std::make_unique<MonitoredSocket>(context_, zmq::socket_type::router);
        auto& socket = door.socket->socket;
        set_common_options(socket, settings_.limits);
        set_keepalive(socket);
        socket.set(zmq::sockopt::router_mandatory, true);
        if (door.settings.curve) {
            socket.set(zmq::sockopt::zap_domain, std::to_string(id));
            socket.set(zmq::sockopt::curve_server, true);
            socket.set(zmq::sockopt::curve_secretkey, zmq::buffer(settings_.secret.data));
        }
        socket.bind(endpoint);
        if (is_ipc(endpoint)) chmod(endpoint.c_str() + 6, door.settings.ipc_mode);
        const Listener out{id, socket.get(zmq::sockopt::last_endpoint)};
        doors_.emplace(id, std::move(door));
        return out;
    } catch (const zmq::error_t& error) {
        return fail(Errc::network, "{} {} {}", door.settings.setting, endpoint,
                    bind_advice(error.num(), door.settings.setting));
    }
}

void Network::set_authorised(std::uint32_t listener, std::map<CurveKey, std::string> users) {
    const auto at = doors_.find(listener);
    if (at == doors_.end()) return;
    std::map<Bytes, std::string> next;
    for (auto& [key, user] : users) next.emplace(key.hex(), std::move(user));
    for (const auto& [key, user] : at->second.users) {
        if (!next.contains(key)) counters_.connections_cut += guard_.cut_user(key);
    }
    at->second.users = std::move(next);
}

void Network::connect(ConnectSettings settings) {
    const auto at = peers_.find(settings.peer);
    if (at != peers_.end()) {
        const auto& now = at->second.settings;
        if (now.endpoint == settings.endpoint && now.server_key == settings.server_key) return;
        peers_.erase(at);
    }
    const auto name = settings.peer;
    auto& peer = peers_[name];
    peer.settings = std::move(settings);
    open(peer);
}

void Network::disconnect(const std::string& name) {
    peers_.erase(name);
}

void Network::open(Peer& peer) {
    try {
        peer.socket = std::make_unique<MonitoredSocket>(context_, zmq::socket_type::dealer);
        auto& socket = peer.socket->socket;
        set_common_options(socket, settings_.limits);
        if (peer.settings.heartbeat_ms > 0) set_heartbeat(socket, peer.settings.heartbeat_ms);
        else set_keepalive(socket);
        socket.set(zmq::sockopt::immediate, true);
        set_curve_client(socket, settings_.secret, peer.settings.server_key);
        socket.connect(peer.settings.endpoint);
    } catch (const zmq::error_t&) {  // an endpoint that does not parse, or no sockets left
        refused(peer);
    }
}

void Network::refused(Peer& peer) {
    // Terminal for libzmq (issue 882): only a new socket tries again.
    const auto& limits = settings_.limits;
    peer.socket.reset();
    peer.is_up = false;
    peer.backoff_ms = std::clamp(peer.backoff_ms * 2, limits.backoff_min_ms, limits.backoff_max_ms);
    std::uniform_int_distribution<int> jitter(peer.backoff_ms / 2, peer.backoff_ms);
    peer.retry_at = Clock::now() + std::chrono::milliseconds(jitter(random_));
    tell(peer, PeerEvent::refused);
}

void Network::tell(Peer& peer, PeerEvent event) {
    if (!peer.settings.on_event) return;
    if (event == PeerEvent::dropped) {
        const auto now = Clock::now();
        if (now - peer.told_dropped < dropped_every) return;
        peer.told_dropped = now;
    }
    inbox_->event([call = peer.settings.on_event, event] { call(event); });
}

bool Network::try_send(Peer& peer, Bytes& frame) {
    if (!peer.socket) return false;
    try {
        if (!peer.socket->socket.send(zmq::buffer(frame), zmq::send_flags::dontwait)) return false;
    } catch (const zmq::error_t&) {
        return false;
    }
    ++counters_.frames_out;
    counters_.bytes_out += frame.size();
    return true;
}

void Network::send(const std::string& name, Bytes frame) {
    const auto at = peers_.find(name);
    if (at == peers_.end()) return;
    auto& peer = at->second;
    if (peer.waiting.empty() && try_send(peer, frame)) return;
    if (peer.is_up && peer.waiting.empty()) {
        ++counters_.dropped_slow;
        return tell(peer, PeerEvent::dropped);
    }
    if (peer.waiting.size() >= settings_.limits.waiting_frames) {
        ++counters_.dropped_full;
        peer.waiting.pop_front();
    }
    peer.waiting.emplace_back(Clock::now(), std::move(frame));
}

void Network::flush(Peer& peer, Clock::time_point now) {
    const auto oldest = now - std::chrono::milliseconds(settings_.limits.waiting_ms);
    while (!peer.waiting.empty()) {
        if (peer.waiting.front().first < oldest) {
            ++counters_.dropped_slow;
            tell(peer, PeerEvent::dropped);
        } else if (!try_send(peer, peer.waiting.front().second)) {
            return;
        }
        peer.waiting.pop_front();
    }
}

void Network::reply(const Handle& to, Bytes frame) {
    const auto at = doors_.find(to.listener);
    if (at == doors_.end()) return;
    auto& door = at->second;
    if (door.settings.curve && !door.users.contains(to.key.hex())) {
        ++counters_.dropped_unauthorised;
        return;
    }
    try {
        auto& socket = door.socket->socket;
        const auto flags = zmq::send_flags::sndmore | zmq::send_flags::dontwait;
        if (!socket.send(zmq::buffer(to.route), flags)) {
            ++counters_.dropped_slow;
            return;
        }
        socket.send(zmq::buffer(frame), zmq::send_flags::dontwait);
        ++counters_.frames_out;
        counters_.bytes_out += frame.size();
    } catch (const zmq::error_t&) {  // EHOSTUNREACH: gone
        ++counters_.dropped_slow;
        if (door.settings.on_lost) {
            inbox_->event([call = door.settings.on_lost, to] { call(to); });
        }
    }
}

void Network::cut(const Handle& handle) {
    const auto at = doors_.find(handle.listener);
    if (at == doors_.end()) return;
    for (const auto& [fd, known] : at->second.open) {
        if (known != handle) continue;
        guard_.cut(fd);
        return;
    }
}

void Network::turn(int wake_fd) {
    std::vector<zmq_pollitem_t> items{{nullptr, wake_fd, ZMQ_POLLIN, 0},
                                      {zap_.socket(), 0, ZMQ_POLLIN, 0}};
    for (auto& [id, door] : doors_) {
        items.push_back({door.socket->socket.handle(), 0, ZMQ_POLLIN, 0});
        items.push_back({door.socket->monitor.handle(), 0, ZMQ_POLLIN, 0});
    }
    for (auto& [name, peer] : peers_) {
        if (!peer.socket) continue;
        const short wanted = peer.waiting.empty() ? ZMQ_POLLIN : ZMQ_POLLIN | ZMQ_POLLOUT;
        items.push_back({peer.socket->socket.handle(), 0, wanted, 0});
        items.push_back({peer.socket->monitor.handle(), 0, ZMQ_POLLIN, 0});
    }
    zmq_poll(items.data(), static_cast<int>(items.size()), wait_ms());
    if (items[1].revents != 0) counters_.handshakes_refused += zap_.answer();
    // Same order as above; nothing below adds or removes an entry before it is reached.
    std::size_t at = 2;
    for (auto& [id, door] : doors_) {
        if (items[at + 1].revents != 0) watch_door(door);
        if (items[at].revents != 0) read_door(id, door);
        at += 2;
    }
    const auto now = Clock::now();
    for (auto& [name, peer] : peers_) {
        if (!peer.socket) continue;
        const short data = items[at].revents;
        const short events = items[at + 1].revents;
        at += 2;
        if ((data & ZMQ_POLLIN) != 0) read_peer(peer);
        if (events != 0) watch_peer(peer);
        if (!peer.waiting.empty()) flush(peer, now);
    }
    on_time(now);
}

void Network::read_door(std::uint32_t id, Door& door) {
    for (int i = 0; i < burst; ++i) {
        auto got = receive(door.socket->socket, true);
        if (!got) return;
        guard_.delivered(got->fd, got->user_id);
        if (!got->whole) {
            ++counters_.dropped_malformed;
            counters_.connections_cut += guard_.cut(got->fd) ? 1U : 0U;
            continue;
        }
        Handle from{id, std::move(got->route), {}};
        std::string user = "local";
        if (door.settings.curve) {
            const auto known = door.users.find(got->user_id);
            const auto key = CurveKey::from_hex(got->user_id);
            if (known == door.users.end() || !key) {
                ++counters_.dropped_unauthorised;
                counters_.connections_cut += guard_.cut(got->fd) ? 1U : 0U;
                continue;
            }
            user = known->second;
            from.key = *key;
            if (got->fd >= 0) door.open.insert_or_assign(got->fd, from);
        }
        ++counters_.frames_in;
        counters_.bytes_in += got->frame.size();
        const auto size = got->frame.size();
        const bool taken = inbox_->offer(
            user, size,
            [call = door.settings.on_frame, user, from, frame = std::move(got->frame)]() mutable {
                call(user, from, std::move(frame));
            });
        if (!taken) ++counters_.dropped_full;
    }
}

void Network::read_peer(Peer& peer) {
    for (int i = 0; i < burst; ++i) {
        auto got = receive(peer.socket->socket, false);
        if (!got) return;
        guard_.delivered(got->fd, "to " + peer.settings.peer);
        if (!got->whole) {
            ++counters_.dropped_malformed;
            counters_.connections_cut += guard_.cut(got->fd) ? 1U : 0U;
            continue;
        }
        ++counters_.frames_in;
        counters_.bytes_in += got->frame.size();
        const auto size = got->frame.size();
        const bool taken =
            inbox_->offer("to " + peer.settings.peer, size,
                          [call = peer.settings.on_frame, frame = std::move(got->frame)]() mutable {
                              if (call) call(std::move(frame));
                          });
        if (!taken) ++counters_.dropped_full;
    }
}

void Network::watch_door(Door& door) {
    while (const auto seen = door.socket->next_event()) {
        if (seen->event == ZMQ_EVENT_ACCEPTED) guard_.opened(seen->value);
        if (seen->event == ZMQ_EVENT_DISCONNECTED || seen->event == ZMQ_EVENT_CLOSED) {
            closed(door, seen->value);
        }
    }
}

void Network::closed(Door& door, int fd) {
    guard_.closed(fd);
    const auto at = door.open.find(fd);
    if (at == door.open.end()) return;
    if (door.settings.on_lost) {
        inbox_->event([call = door.settings.on_lost, gone = at->second] { call(gone); });
    }
    door.open.erase(at);
}

void Network::watch_peer(Peer& peer) {
    while (const auto seen = peer.socket->next_event()) {
        switch (seen->event) {
            case ZMQ_EVENT_CONNECTED: guard_.opened(seen->value); break;
            case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
                peer.is_up = true;
                peer.backoff_ms = 0;
                tell(peer, PeerEvent::up);
                break;
            case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
            case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL: return refused(peer);
            case ZMQ_EVENT_DISCONNECTED:
                guard_.closed(seen->value);
                if (peer.is_up) tell(peer, PeerEvent::down);
                peer.is_up = false;
                break;
            default: break;
        }
    }
}

void Network::on_time(Clock::time_point now) {
    if (now >= next_sweep_ && (worked() || now - swept_ >= sweep_at_rest)) {
        next_sweep_ = now + sweep_every;
        swept_ = now;
        counters_.connections_cut += guard_.sweep(now);
    }
    for (auto& [name, peer] : peers_) {
        if (peer.socket || now < peer.retry_at) continue;
        ++counters_.reconnects;
        open(peer);
    }
}

/// Has the process used processor time since the last call? To take in a megabyte under CURVE costs
/// at least 2 ms, so a process at rest need not ask the kernel about each of its connections.
bool Network::worked() {
    timespec used{};
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) != 0) return true;
    const auto now = std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
    const bool out = now - used_ >= work_of_note;
    if (out) used_ = now;
    return out;
}

long Network::wait_ms() const {
    return doors_.empty() && peers_.empty() ? 1000 : 100;  // the guard's sweep
}

}  // namespace clarity::wire
