#pragma once

#include <string>
#include <string_view>

#include "protocol/bytes.hpp"

namespace clarity::coordinator {

struct Core;

/// What a server sends to join, from the body of POST /api/v1/enrol.
struct EnrolRequest {
    std::string token;   ///< text of the join token
    std::string server;  ///< id or hostname
    std::string csr_pem;
    PublicKey public_key;
    std::string mesh_endpoint;   ///< "tcp://host:port"
    std::string swarm_endpoint;  ///< "host:port"
};

struct Enrolled {
    std::string server_id;
    std::string hostname;
    std::string site;
    std::string certificate_pem;
    bool replaced = false;  ///< the server had another key before
};

/// Lets a server in: the token holds good for the server's site, the certificate request proves
/// the key, the inventory knows the server, and nobody else has the key. Then it gets its
/// certificate, the token is spent, and the site's next roster is published, in one write.
/// Errors: denied (token), bad_signature (request), not_found, invalid, conflict.
[[nodiscard]] Result<Enrolled> enrol(Core& core, const EnrolRequest& request,
                                     std::int64_t now_unix_s);

/// "tcp://host:port" or "host:port" of sane length, host an address or a name, port not 0.
[[nodiscard]] Result<void> check_endpoint(std::string_view what, std::string_view endpoint,
                                          std::string_view scheme);

}  // namespace clarity::coordinator
