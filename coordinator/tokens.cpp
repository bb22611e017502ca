#include "coordinator/tokens.hpp"

#include "coordinator/clock.hpp"
#include "protocol/keys.hpp"
#include "protocol/sha256.hpp"

namespace clarity::coordinator {
namespace {

constexpr std::int64_t kept_after_expiry_s = 7L * 24 * 3600;

std::string hash_of(const JoinToken& token) {
    return sha256(token.secret).hex();
}

}  // namespace

Result<std::size_t> Tokens::prune(std::int64_t now_unix_s) {
    CLARITY_TRY(const auto rows, store_->rows(schema::token));
    std::size_t left = 0;
    for (const auto& [key, bytes] : rows) {
        const auto row = parse_json(bytes);
        const auto expires = row ? json_or<std::int64_t>(*row, "expires", 0) : 0;
        if (expires + kept_after_expiry_s < now_unix_s) {
            CLARITY_CHECK(store_->erase(key));
        } else {
            ++left;
        }
    }
    return left;
}

Result<IssuedToken> Tokens::create(const TokenGrant& grant, const Digest& ca_fingerprint,
                                   const Digest& root_digest, std::int64_t now_unix_s) {
    if (grant.ttl_s < ttl_min_s || grant.ttl_s > ttl_max_s) {
        return fail(Errc::invalid, "ttl_s must be from {} to {} (30 days), not {}", ttl_min_s,
                    ttl_max_s, grant.ttl_s);
    }
    CLARITY_TRY(const auto open, prune(now_unix_s));
    if (open >= open_max) {
        return fail(Errc::no_space, "{} join tokens exist; wait for some to expire", open);
    }
    JoinToken token{random_bytes(16), random_bytes(32), ca_fingerprint, root_digest};
    IssuedToken out{token.encode(), now_unix_s + grant.ttl_s};
    const Json row{{"site", grant.site},
                   {"server", grant.server},
                   {"hash", hash_of(token)},
                   {"created", now_unix_s},
                   {"expires", out.expires_unix_s}};
    CLARITY_CHECK(store_->put_json(schema::key(schema::token, {to_hex(token.id)}), row));
    return out;
}

Result<TokenRow> Tokens::check(const JoinToken& token, const PublicKey& key,
                               std::int64_t now_unix_s) const {
    TokenRow out{to_hex(token.id), {}};
    CLARITY_TRY(const auto row, store_->get_json(schema::key(schema::token, {out.id})));
    // The same words for an unknown id and a wrong secret: a guesser learns nothing.
    constexpr auto unknown =
        "this join token is not known here; make one with "
        "\"clarity token create\"";
    if (!row) return fail(Errc::denied, unknown);
    out.row = *row;
    if (!equal_secret(hash_of(token), json_or<std::string>(out.row, "hash", ""))) {
        return fail(Errc::denied, unknown);
    }
    const auto expires = json_or<std::int64_t>(out.row, "expires", 0);
    if (now_unix_s > expires) {
        return fail(Errc::denied,
                    "this join token expired at {}; make a new one with \"clarity token create\"",
                    utc_text(expires));
    }
    if (out.row.contains("used") && json_or<std::string>(out.row, "used_by", "") != key.hex()) {
        return fail(Errc::denied,
                    "this join token was used at {} by {}; make a new one with \"clarity token "
                    "create\"",
                    utc_text(json_or<std::int64_t>(out.row, "used", 0)),
                    json_or<std::string>(out.row, "used_server", "another server"));
    }
    return out;
}

KeyValue Tokens::spent(const TokenRow& token, const PublicKey& key, const std::string& server_id,
                       std::int64_t now_unix_s) {
    Json row = token.row;
    row["used"] = now_unix_s;
    row["used_by"] = key.hex();
    row["used_server"] = server_id;
    return {schema::key(schema::token, {token.id}), to_text(row)};
}

Result<Json> Tokens::list(std::int64_t now_unix_s) const {
    CLARITY_TRY(const auto rows, store_->rows(schema::token));
    Json out = Json::array();
    for (const auto& [key, bytes] : rows) {
        CLARITY_TRY(const auto row, parse_json(bytes));
        const auto expires = json_or<std::int64_t>(row, "expires", 0);
        const bool used = row.contains("used");
        out.push_back(Json{{"id", key.substr(key.rfind('\0') + 1)},
                           {"site", json_or<std::string>(row, "site", "")},
                           {"server", json_or<std::string>(row, "server", "")},
                           {"created_at", utc_text(json_or<std::int64_t>(row, "created", 0))},
                           {"expires_at", utc_text(expires)},
                           {"state", used                   ? "used"
                                     : expires < now_unix_s ? "expired"
                                                            : "open"},
                           {"used_by", json_or<std::string>(row, "used_server", "")}});
    }
    return out;
}

}  // namespace clarity::coordinator
