#include <sys/stat.h>

#include <chrono>

#include "protocol/wire/sockets.hpp"

namespace clarity::wire {
namespace {

constexpr std::int64_t answer_max_bytes = 32 << 20;

Result<Bytes> wait_for_answer(MonitoredSocket& link, const std::string& endpoint, int timeout_ms) {
    using Clock = std::chrono::steady_clock;
    const auto deadline = Clock::now() + std::chrono::milliseconds(timeout_ms);
    for (;;) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
        if (left.count() <= 0) {
            return fail(Errc::timeout, "{}: no answer within {} ms; is the agent running there?",
                        endpoint, timeout_ms);
        }
        zmq_pollitem_t items[] = {{link.socket.handle(), 0, ZMQ_POLLIN, 0},
                                  {link.monitor.handle(), 0, ZMQ_POLLIN, 0}};
        zmq_poll(items, 2, static_cast<long>(left.count()));
        if (auto got = receive(link.socket); got) {
            if (got->whole) return std::move(got->frame);
            return fail(Errc::invalid, "{}: answered with something else", endpoint);
        }
        while (const auto seen = link.next_event()) {
            if (seen->event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH ||
                seen->event == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL) {
                return fail(Errc::denied,
                            "{}: refuses this key; it must be an observer in the site's roster",
                            endpoint);
            }
        }
    }
}

}  // namespace

Result<Bytes> ask(const AskSettings& settings, std::string_view question, int timeout_ms) {
    const bool ipc = settings.endpoint.starts_with("ipc://");
    if (ipc) {
        struct stat info {};
        const auto path = settings.endpoint.substr(6);
        if (stat(path.c_str(), &info) != 0) {
            return fail(errno == EACCES ? Errc::denied : Errc::not_found,
                        "{}: no agent listens there ({}); is it running, and may you read it?",
                        path, zmq_strerror(errno));
        }
    }
    try {
        zmq::context_t context;
        MonitoredSocket link(context, zmq::socket_type::dealer);
        Limits limits;
        limits.frame_max_bytes = answer_max_bytes;
        set_common_options(link.socket, limits);
        link.socket.set(zmq::sockopt::linger, 0);
        if (!ipc) {
            set_curve_client(link.socket, settings.own_secret, curve_public_of(settings.own_secret),
                             settings.server_key);
        }
        link.socket.connect(settings.endpoint);
        link.socket.send(zmq::buffer(question), zmq::send_flags::dontwait);
        return wait_for_answer(link, settings.endpoint, timeout_ms);
    } catch (const zmq::error_t& error) {
        return fail(Errc::network, "{}: {}", settings.endpoint, error.what());
    }
}

}  // namespace clarity::wire
