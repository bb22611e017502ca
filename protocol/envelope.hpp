#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/keys.hpp"

namespace clarity {

/// What an envelope holds. The text form is part of what is signed, so a document of one kind can
/// never be taken for another.
namespace payload_type {
inline constexpr std::string_view root = "application/vnd.clarity.root.v1+msgpack";
inline constexpr std::string_view roster = "application/vnd.clarity.roster.v1+msgpack";
inline constexpr std::string_view manifest = "application/vnd.clarity.manifest.v1+msgpack";
inline constexpr std::string_view plan = "application/vnd.clarity.plan.v1+msgpack";
inline constexpr std::string_view beacon = "application/vnd.clarity.beacon.v1+msgpack";
inline constexpr std::string_view command = "application/vnd.clarity.command.v1+msgpack";
inline constexpr std::string_view lan_announcement =
    "application/vnd.clarity.lan-announcement.v1+msgpack";
inline constexpr std::string_view record = "application/vnd.clarity.record.v1+msgpack";
}  // namespace payload_type

/// The keys that may sign for a role, and how many of them must.
struct Role {
    std::vector<PublicKey> keys;
    std::uint32_t threshold = 1;
};

struct EnvelopeSignature {
    KeyId key_id;
    Signature signature;
};

/// A signed document: payload bytes as they came (never re-encoded) and signatures over the
/// pre-authentication encoding of type and bytes.
/// Source: DSSE v1.0, https://github.com/secure-systems-lab/dsse/blob/master/protocol.md
struct Envelope {
    std::string type;
    Bytes payload;
    std::vector<EnvelopeSignature> signatures;

    /// The document's name everywhere: SHA-256 of pre_auth(); independent of who signed.
    [[nodiscard]] Digest digest() const;
    [[nodiscard]] Bytes encode() const;
    [[nodiscard]] static Result<Envelope> decode(std::string_view bytes);

    [[nodiscard]] static Envelope make(std::string_view type, Bytes payload);
    /// Adds this key's signature; replaces an earlier one by the same key.
    void sign(const SigningKey& key);
    /// Ok when at least `role.threshold` distinct keys of the role signed, and the type is `type`.
    [[nodiscard]] Result<void> verify(std::string_view expected_type, const Role& role) const;

  private:
    [[nodiscard]] Bytes pre_auth() const;
};

}  // namespace clarity
