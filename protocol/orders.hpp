#pragma once

#include <string>

#include "protocol/roster.hpp"

namespace clarity {

/// Coordinator's time and highest plan: how fresh a site's knowledge is.
struct Beacon {
    std::string site;
    std::int64_t at_unix_ms = 0;
    std::uint64_t plan_seq = 0;
    std::uint64_t roster_epoch = 0;

    [[nodiscard]] Bytes encode() const;
    [[nodiscard]] static Result<Beacon> decode(std::string_view payload);
};

/// One action on one server: start, stop, restart, logs, drain, exec.
struct Command {
    std::string site;
    std::string server_id;
    std::string action;
    std::string service;
    std::string argument;
    std::string nonce;  ///< never acted on twice
    std::int64_t expires_unix_s = 0;

    [[nodiscard]] Bytes encode() const;
    [[nodiscard]] static Result<Command> decode(std::string_view payload);
};

[[nodiscard]] Result<Beacon> verify_beacon(const Root& root, std::string_view site,
                                           const Envelope& envelope);
/// Errors: bad_signature, timeout (expired). The caller checks server and nonce.
[[nodiscard]] Result<Command> verify_command(const Root& root, std::string_view site,
                                             std::int64_t now_unix_s, const Envelope& envelope);

}  // namespace clarity
