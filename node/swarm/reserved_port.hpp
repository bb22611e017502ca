#pragma once

// Private to this folder.
#include <boost/system/error_code.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "protocol/error.hpp"

namespace clarity::swarm {

/// The swarm's port, held from the agent's start: two agents with one port fail at their start, not
/// at their first artifact. Nobody is served here: who connects is reset when this ends.
class ReservedPort {
  public:
    /// `listen` is a numeric "ip:port"; port 0 = any free one.
    [[nodiscard]] static Result<std::unique_ptr<ReservedPort>> take(const std::string& listen);
    ~ReservedPort();
    ReservedPort(const ReservedPort&) = delete;
    ReservedPort& operator=(const ReservedPort&) = delete;

    /// From now on a session may listen there. Linux keeps the port bound to this object all the
    /// same (where `listen` named one), so that nobody comes between.
    void stop_listening() const;
    [[nodiscard]] std::uint16_t port() const { return port_; }
    [[nodiscard]] const std::string& endpoint() const { return endpoint_; }  ///< with the real port

  private:
    ReservedPort(int socket, std::uint16_t port, std::string endpoint)
        : socket_(socket), port_(port), endpoint_(std::move(endpoint)) {}
    int socket_;
    std::uint16_t port_;
    std::string endpoint_;
};

/// In one line for people.
[[nodiscard]] tl::unexpected<Error> cannot_listen(const std::string& listen,
                                                  const boost::system::error_code& code);

}  // namespace clarity::swarm
