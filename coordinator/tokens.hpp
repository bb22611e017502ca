#pragma once

#include <string>
#include <vector>

#include "coordinator/store.hpp"
#include "protocol/join_token.hpp"

namespace clarity::coordinator {

/// What a join token is for.
struct TokenGrant {
    std::string site;
    std::string server;  ///< id or hostname; empty = any server of the site
    std::int64_t ttl_s = 3600;
};

struct IssuedToken {
    std::string text;  ///< given out once, never stored
    std::int64_t expires_unix_s = 0;
};

/// A token that holds good for an enrolment, not spent yet.
struct TokenRow {
    std::string id;  ///< hex
    Json row;
    [[nodiscard]] std::string site() const { return json_or<std::string>(row, "site", ""); }
    [[nodiscard]] std::string server() const { return json_or<std::string>(row, "server", ""); }
    [[nodiscard]] bool used() const { return row.contains("used"); }
};

/// One-time join tokens. Only the hash of a token's secret is stored. Loop thread only.
class Tokens {
  public:
    static constexpr std::int64_t ttl_min_s = 10;
    static constexpr std::int64_t ttl_max_s = 30L * 24 * 3600;
    static constexpr std::size_t open_max = 20000;

    explicit Tokens(Store& store) : store_(&store) {}

    /// Makes a token that pins the given CA and first root. Also drops rows long expired.
    [[nodiscard]] Result<IssuedToken> create(const TokenGrant& grant, const Digest& ca_fingerprint,
                                             const Digest& root_digest, std::int64_t now_unix_s);
    /// The token's row, once it is known, not expired and not spent; denied otherwise. A spent one
    /// still serves the same `key` again until it expires: the answer may have been lost.
    [[nodiscard]] Result<TokenRow> check(const JoinToken& token, const PublicKey& key,
                                         std::int64_t now_unix_s) const;
    /// The row that marks it spent by `key`; the caller stores it together with the enrolment.
    [[nodiscard]] static KeyValue spent(const TokenRow& token, const PublicKey& key,
                                        const std::string& server_id, std::int64_t now_unix_s);
    /// All rows without secrets or hashes, for GET /api/v1/tokens.
    [[nodiscard]] Result<Json> list(std::int64_t now_unix_s) const;

  private:
    Store* store_;
    [[nodiscard]] Result<std::size_t> prune(std::int64_t now_unix_s);
};

}  // namespace clarity::coordinator
