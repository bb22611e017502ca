#pragma once

#include <string>
#include <vector>

#include "cli/session.hpp"
#include "protocol/query.hpp"

namespace clarity::cli {

/// A node that can be asked over the network: from a verified, cached roster.
struct NodeTarget {
    std::string name;      ///< hostname
    std::string endpoint;  ///< "tcp://10.0.0.1:8472"
    PublicKey key;
};

/// The member that ADDRESS (host, host:port, hostname or server id) names. `host:port` may differ
/// from the roster's endpoint where the host's name is a member's: an address behind a NAT.
/// Fails with not_found, saying how to get a roster.
[[nodiscard]] Result<NodeTarget> find_node(const std::vector<Roster>& rosters,
                                           const std::string& address);

/// Its answer over CURVE with this person's observer key. Errors as wire::ask.
[[nodiscard]] Result<Json> ask_node(const NodeTarget& node, const SigningKey& observer,
                                    int timeout_ms,
                                    const query::Question& question = {.name = "status"});
/// The answer from a local agent's socket.
[[nodiscard]] Result<Json> ask_socket(const std::string& path, int timeout_ms,
                                      const query::Question& question = {.name = "status"});

/// What the local agent says to a document in a file of this machine.
struct Delivery {
    enum class Outcome { accepted, held, refused, busy };
    Outcome outcome = Outcome::refused;
    std::string line;  ///< the kind of what was accepted, or the agent's reason
};
/// Hands the document in `file` (an absolute path) to the agent on this machine. An error is one of
/// getting there: nobody at the socket (network), a file that the agent cannot read (io).
[[nodiscard]] Result<Delivery> deliver_to_socket(const std::string& socket, const std::string& file,
                                                 int timeout_ms);

/// This person's observer key: what nodes let in. Fails with not_found before login.
[[nodiscard]] Result<SigningKey> observer_key(const ConfigStore& store);

}  // namespace clarity::cli
