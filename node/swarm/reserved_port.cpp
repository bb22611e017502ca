#include "node/swarm/reserved_port.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "node/swarm/session_settings.hpp"

namespace clarity::swarm {

tl::unexpected<Error> cannot_listen(const std::string& listen,
                                    const boost::system::error_code& code) {
    const bool taken = code == boost::system::errc::address_in_use;
    return fail(taken ? Errc::conflict : Errc::network, "swarm cannot listen on {}: {}; {}", listen,
                code.message(),
                taken ? "stop what uses the port or set swarm.listen to another"
                      : "set swarm.listen to an address of this host");
}

Result<std::unique_ptr<ReservedPort>> ReservedPort::take(const std::string& listen) {
    CLARITY_TRY(auto at, parse_endpoint(listen));
    const auto failed = [&](int socket) {
        const boost::system::error_code code(errno, boost::system::system_category());
        if (socket >= 0) close(socket);
        return cannot_listen(listen, code);
    };
    const int socket = ::socket(at.protocol().family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket < 0) return failed(socket);
    // As libtorrent does: connections of the process before may still be winding down.
    const int on = 1;
    (void)setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    auto size = static_cast<socklen_t>(at.size());
    if (bind(socket, at.data(), size) != 0 || ::listen(socket, 0) != 0 ||
        getsockname(socket, at.data(), &size) != 0) {
        return failed(socket);
    }
    const auto host =
        at.address().is_v6() ? "[" + at.address().to_string() + "]" : at.address().to_string();
    return std::unique_ptr<ReservedPort>(
        new ReservedPort(socket, at.port(), fmt::format("{}:{}", host, at.port())));
}

ReservedPort::~ReservedPort() {
    close(socket_);
}

void ReservedPort::stop_listening() const {
    (void)shutdown(socket_, SHUT_RDWR);
}

}  // namespace clarity::swarm
