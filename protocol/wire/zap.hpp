#pragma once

#include <functional>
#include <zmq.hpp>

#include "protocol/bytes.hpp"
#include "protocol/wire/readiness.hpp"

namespace clarity::wire {

/// ZeroMQ's authentication hook (RFC 27): answers whether a CURVE key may connect to a listener.
/// Made before any bind; read on the network thread whenever its socket is readable.
class Zap {
  public:
    enum class Answer {
        yes,
        later,  ///< 300: closed without a word; who connects tries again by itself
        no,     ///< 400: told so
    };
    /// `allowed(domain, key in hex)`; the domain is the listener's number as text.
    using Allowed = std::function<Answer(const std::string& domain, const Bytes& key)>;
    Zap(zmq::context_t& context, Allowed allowed);

    [[nodiscard]] Readiness& ready() { return ready_; }
    /// Answers all requests that wait.
    void answer();

  private:
    zmq::socket_t socket_;
    Readiness ready_{socket_};
    Allowed allowed_;
};

}  // namespace clarity::wire
