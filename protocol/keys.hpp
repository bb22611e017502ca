#pragma once

#include <span>
#include <string>
#include <string_view>

#include "protocol/bytes.hpp"

namespace clarity {

/// Prepares libsodium; every program calls it once, first. Aborts where there is no randomness.
void init_crypto();

/// Cryptographically random bytes.
[[nodiscard]] Bytes random_bytes(std::size_t count);

/// A random UUID (RFC 4122 version 4) in lower-case text.
[[nodiscard]] std::string random_uuid();

/// How roles and signatures name a public key: its SHA-256.
[[nodiscard]] KeyId key_id_of(const PublicKey& key);

/// An Ed25519 key pair. Copies are wiped when destroyed. One per server is its identity: signs
/// its records, becomes its CURVE key and opens what was sealed to it.
class SigningKey {
  public:
    SigningKey(const SigningKey&) = default;
    SigningKey& operator=(const SigningKey&) = default;
    ~SigningKey();

    [[nodiscard]] static SigningKey generate();
    /// From the 32-byte seed (RFC 8032 private key).
    [[nodiscard]] static Result<SigningKey> from_seed(std::string_view seed);

    [[nodiscard]] Bytes seed() const;
    [[nodiscard]] const PublicKey& public_key() const { return public_; }
    [[nodiscard]] KeyId id() const { return key_id_of(public_); }
    [[nodiscard]] Signature sign(std::string_view message) const;

    /// The same key as X25519, for CURVE and sealed boxes.
    [[nodiscard]] CurveKey curve_secret() const;
    /// Opens what seal_to() closed for this key. Fails with bad_signature when it was not for us.
    [[nodiscard]] Result<Bytes> open_sealed(std::string_view sealed) const;

  private:
    SigningKey() = default;
    PublicKey public_;
    std::array<std::uint8_t, 64> secret_{};
};

[[nodiscard]] bool verify(const PublicKey& key, std::string_view message, const Signature& sig);

/// X25519 form of an Ed25519 public key; fails on a key that is not a valid point.
[[nodiscard]] Result<CurveKey> curve_public(const PublicKey& key);

/// Anonymous sealed box (crypto_box_seal) to the holder of `key`. Each call gives other bytes.
[[nodiscard]] Result<Bytes> seal_to(const PublicKey& key, std::string_view plain);

/// Keyed BLAKE2b-256: a fingerprint that tells nothing to whoever lacks the key.
[[nodiscard]] Digest keyed_hash(std::string_view key, std::string_view message);

/// A secret key as the text of a key file: a header line, then base64. With a passphrase the seed
/// is in a secretbox under Argon2id (interactive limits); without one it is plain and the file
/// must be 0600 (storage/files.hpp writes it so).
[[nodiscard]] std::string encode_key_file(const SigningKey& key, std::string_view passphrase);
/// Fails with denied when a passphrase is needed and `passphrase` is empty or wrong.
[[nodiscard]] Result<SigningKey> decode_key_file(std::string_view text,
                                                 std::string_view passphrase);

/// Authenticated encryption under a 32-byte key (XSalsa20-Poly1305, random nonce in front).
[[nodiscard]] Bytes encrypt(std::string_view key, std::string_view plain);
[[nodiscard]] Result<Bytes> decrypt(std::string_view key, std::string_view boxed);

/// Constant-time comparison for tokens.
[[nodiscard]] bool equal_secret(std::string_view a, std::string_view b);

}  // namespace clarity
