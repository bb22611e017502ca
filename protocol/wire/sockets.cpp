#include "protocol/wire/sockets.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cstring>

#include "protocol/keys.hpp"
#include "protocol/wire/sodium_memory.hpp"

namespace clarity::wire {
namespace {

constexpr int watched_events =
    ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_ACCEPT_FAILED | ZMQ_EVENT_CONNECTED | ZMQ_EVENT_CLOSED |
    ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
    ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL;

int jittered_ms(int low, int high) {
    const auto raw = random_bytes(2);
    const int value = static_cast<unsigned char>(raw[0]) * 256 + static_cast<unsigned char>(raw[1]);
    return low + value % (high - low + 1);
}

}  // namespace

MonitoredSocket::MonitoredSocket(zmq::context_t& context, zmq::socket_type type, Sleeper* sleeper)
    : socket(context, type), monitor(context, zmq::socket_type::pair) {
    static std::atomic<std::uint64_t> count{0};
    const std::string address = "inproc://monitor-" + std::to_string(++count);
    if (zmq_socket_monitor(socket.handle(), address.c_str(), watched_events) != 0) {
        throw zmq::error_t();
    }
    monitor.set(zmq::sockopt::linger, 0);
    monitor.connect(address);
    if (sleeper == nullptr) return;
    socket_entry_.emplace(*sleeper, socket_ready);
    monitor_entry_.emplace(*sleeper, monitor_ready);
}

MonitoredSocket::~MonitoredSocket() {
    zmq_socket_monitor(socket.handle(), nullptr, 0);
}

std::optional<MonitorEvent> MonitoredSocket::next_event() {
    zmq::message_t head;
    if (!monitor.recv(head, zmq::recv_flags::dontwait)) return std::nullopt;
    MonitorEvent out;
    if (head.size() >= 6) {
        std::uint16_t event = 0;
        std::int32_t value = 0;
        std::memcpy(&event, head.data(), sizeof event);
        std::memcpy(&value, head.data<char>() + 2, sizeof value);
        out = {event, value};
    }
    while (head.more()) {
        if (!monitor.recv(head)) break;
    }
    return out;
}

void set_common_options(zmq::socket_t& socket, const Limits& limits) {
    use_plain_sodium_memory();
    socket.set(zmq::sockopt::sndhwm, limits.high_water_frames);
    socket.set(zmq::sockopt::rcvhwm, limits.unread_frames);
    socket.set(zmq::sockopt::maxmsgsize, limits.frame_max_bytes);
    socket.set(zmq::sockopt::linger, 200);  // a good-bye may still go out
    socket.set(zmq::sockopt::handshake_ivl, 5000);
    socket.set(zmq::sockopt::connect_timeout, 3000);
    socket.set(zmq::sockopt::reconnect_ivl, jittered_ms(200, 1000));
    socket.set(zmq::sockopt::reconnect_ivl_max, 5000);
    socket.set(zmq::sockopt::ipv6, true);
}

void set_heartbeat(zmq::socket_t& socket, int every_ms) {
    const int timeout_ms = 3 * every_ms;
    socket.set(zmq::sockopt::heartbeat_ivl, every_ms);
    socket.set(zmq::sockopt::heartbeat_timeout, timeout_ms);
    socket.set(zmq::sockopt::heartbeat_ttl, timeout_ms);
}

void set_keepalive(zmq::socket_t& socket, int keepalive_s, int again_s, int unacknowledged_ms) {
    if (keepalive_s > 0) {
        socket.set(zmq::sockopt::tcp_keepalive, 1);
        socket.set(zmq::sockopt::tcp_keepalive_idle, keepalive_s);
        socket.set(zmq::sockopt::tcp_keepalive_intvl, again_s);
        socket.set(zmq::sockopt::tcp_keepalive_cnt, 3);
    }
    if (unacknowledged_ms > 0) {
        socket.set(zmq::sockopt::tcp_maxrt, unacknowledged_ms);
    }
}

void set_keepalive(int fd, int keepalive_s) {
    const int on = keepalive_s > 0 ? 1 : 0;
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    if (on != 0) setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &keepalive_s, sizeof keepalive_s);
}

void set_curve_client(zmq::socket_t& socket, const CurveKey& secret, const CurveKey& own_key,
                      const CurveKey& server_key) {
    socket.set(zmq::sockopt::curve_serverkey, zmq::buffer(server_key.data));
    socket.set(zmq::sockopt::curve_publickey, zmq::buffer(own_key.data));
    socket.set(zmq::sockopt::curve_secretkey, zmq::buffer(secret.data));
}

CurveKey curve_public_of(const CurveKey& secret) {
    char secret_text[41];
    char public_text[41];
    CurveKey out;
    if (zmq_z85_encode(secret_text, secret.data.data(), 32) != nullptr &&
        zmq_curve_public(public_text, secret_text) == 0) {
        zmq_z85_decode(out.data.data(), public_text);
    }
    return out;
}

std::optional<Received> receive(zmq::socket_t& dealer) {
    zmq::message_t part;
    if (!dealer.recv(part, zmq::recv_flags::dontwait)) return std::nullopt;
    Received out;
    out.whole = !part.more();
    if (out.whole) out.frame = part.to_string();
    while (part.more()) {
        if (!dealer.recv(part)) break;
    }
    return out;
}

}  // namespace clarity::wire
