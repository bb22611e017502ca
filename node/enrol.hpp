#pragma once

#include <string>
#include <vector>

#include "node/identity.hpp"
#include "protocol/envelope.hpp"

namespace clarity {

/// What a server needs to join its site for the first time.
struct EnrolSettings {
    std::string coordinator_url;  ///< "https://host:8470"
    std::string token;            ///< text of a join token (protocol/join_token.hpp)
    std::string server;           ///< hostname or id in the inventory
    std::string mesh_endpoint;    ///< as peers reach it
    std::string swarm_endpoint;
    std::uint32_t timeout_ms = 20'000;
};

/// Who we are from now on, and the documents to start from. Checked: CA by the token's fingerprint,
/// first root by the token's digest, later roots by chain, roster by root; and we are in it.
struct Enrolment {
    Identity identity;
    std::vector<Envelope> roots;  ///< version 1 first
    Envelope roster;
};

/// Joins through the coordinator's REST API. Blocks; nothing is stored here. Errors: network and
/// timeout are worth a retry; denied (token wrong, used or expired), bad_signature (the coordinator
/// is not the one the token was made by) and invalid are not.
[[nodiscard]] Result<Enrolment> enrol(const EnrolSettings& settings, const Identity& identity);

}  // namespace clarity
