#pragma once

#include "protocol/bytes.hpp"

namespace clarity {

/// What an operator hands to a new server: lets it join once, and pins whom it may believe before
/// it knows anybody.
///
/// How it is used: GET /api/v1/info without verifying TLS, compare x509::fingerprint_sha256 of its
/// "ca_pem" with `ca_fingerprint`, then talk over TLS verified by that CA; in the answer of enrol
/// the first root's Envelope::digest() must be `root_digest`, and every later root must follow.
struct JoinToken {
    Bytes id;      ///< 16 bytes: names the token, no secret
    Bytes secret;  ///< 32 bytes
    Digest ca_fingerprint;
    Digest root_digest;  ///< of root version 1

    /// Base64url text: what goes into files, arguments and "Authorization: Bearer". Secret.
    [[nodiscard]] std::string encode() const;
    /// White space around it is ignored. The error never repeats the text.
    [[nodiscard]] static Result<JoinToken> decode(std::string_view text);
};

}  // namespace clarity
