#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/session.hpp"

namespace clarity::cli {

/// A key for a role: public, and secret where this person holds it.
struct RoleKey {
    PublicKey public_key;
    std::optional<SigningKey> secret;
};

/// From a key file, a file with 64 hex digits, or the 64 hex digits of a public key themselves.
[[nodiscard]] Result<RoleKey> role_key_from(Session& session, const std::string& text,
                                            const std::string& what);
/// The key in that file, made there (passphrase asked for) where there is none.
[[nodiscard]] Result<RoleKey> own_key(Session& session, const std::string& path,
                                      const std::string& what);

/// A root envelope as people pass it around: {"envelope": base64}.
[[nodiscard]] Result<Envelope> read_root_file(const std::string& path);
[[nodiscard]] Result<void> write_root_file(const std::string& path, const Envelope& envelope);

/// How many of the root role's keys have signed.
[[nodiscard]] std::size_t signatures_of(const Root& root, const Envelope& envelope);

/// "1 of 2 signatures by version 1's keys, 2 of 2 by its own". `before` is null for a first root.
[[nodiscard]] std::string signatures_text(const Root* before, const Root& root,
                                          const Envelope& envelope);

/// Gives it to the coordinator and remembers it. The caller has verified it.
[[nodiscard]] Result<void> upload_root(Session& session, const Envelope& envelope);

/// The root as data: version, digest, expiry, and each role's threshold and keys.
[[nodiscard]] Json root_json(const Root& root, const Digest& digest);
[[nodiscard]] std::string root_text(const Json& json);

}  // namespace clarity::cli
