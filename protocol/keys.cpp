#include "protocol/keys.hpp"

#include <sodium.h>

#include <cassert>
#include <cstdlib>

#include "protocol/sha256.hpp"

namespace clarity {
namespace {

constexpr std::string_view plain_header = "clarity-key-v1 plain\n";
constexpr std::string_view argon_header = "clarity-key-v1 argon2id\n";

const unsigned char* u8(std::string_view bytes) {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}
unsigned char* u8(Bytes& bytes) {
    return reinterpret_cast<unsigned char*>(bytes.data());
}

Result<Bytes> key_from_passphrase(std::string_view passphrase, std::string_view salt) {
    Bytes key(crypto_secretbox_KEYBYTES, '\0');
    if (crypto_pwhash(u8(key), key.size(), passphrase.data(), passphrase.size(), u8(salt),
                      crypto_pwhash_OPSLIMIT_INTERACTIVE, crypto_pwhash_MEMLIMIT_INTERACTIVE,
                      crypto_pwhash_ALG_ARGON2ID13) != 0) {
        return fail(Errc::no_space, "not enough memory for Argon2id (64 MiB)");
    }
    return key;
}

}  // namespace

void init_crypto() {
    if (sodium_init() < 0) std::abort();
}

Bytes random_bytes(std::size_t count) {
    Bytes out(count, '\0');
    randombytes_buf(out.data(), out.size());
    return out;
}

std::string random_uuid() {
    Bytes raw = random_bytes(16);
    raw[6] = static_cast<char>((static_cast<unsigned char>(raw[6]) & 0x0fU) | 0x40U);
    raw[8] = static_cast<char>((static_cast<unsigned char>(raw[8]) & 0x3fU) | 0x80U);
    std::string text = to_hex(raw);
    for (const std::size_t dash : {8U, 13U, 18U, 23U}) text.insert(dash, "-");
    return text;
}

KeyId key_id_of(const PublicKey& key) {
    return *KeyId::from(sha256(key.view()).view());
}

SigningKey::~SigningKey() {
    sodium_memzero(secret_.data(), secret_.size());
}

SigningKey SigningKey::generate() {
    SigningKey key;
    crypto_sign_keypair(key.public_.data.data(), key.secret_.data());
    return key;
}

Result<SigningKey> SigningKey::from_seed(std::string_view seed) {
    if (seed.size() != crypto_sign_SEEDBYTES) {
        return fail(Errc::invalid, "a key seed has 32 bytes, not {}", seed.size());
    }
    SigningKey key;
    crypto_sign_seed_keypair(key.public_.data.data(), key.secret_.data(), u8(seed));
    return key;
}

Bytes SigningKey::seed() const {
    return Bytes(reinterpret_cast<const char*>(secret_.data()), crypto_sign_SEEDBYTES);
}

Signature SigningKey::sign(std::string_view message) const {
    Signature out;
    crypto_sign_detached(out.data.data(), nullptr, u8(message), message.size(), secret_.data());
    return out;
}

CurveKey SigningKey::curve_secret() const {
    CurveKey out;
    [[maybe_unused]] const int rc =
        crypto_sign_ed25519_sk_to_curve25519(out.data.data(), secret_.data());
    assert(rc == 0);
    return out;
}

Result<Bytes> SigningKey::open_sealed(std::string_view sealed) const {
    if (sealed.size() < crypto_box_SEALBYTES) return fail(Errc::invalid, "sealed box too short");
    CLARITY_TRY(const CurveKey mine, curve_public(public_));
    const CurveKey secret = curve_secret();
    Bytes plain(sealed.size() - crypto_box_SEALBYTES, '\0');
    if (crypto_box_seal_open(u8(plain), u8(sealed), sealed.size(), mine.data.data(),
                             secret.data.data()) != 0) {
        return fail(Errc::bad_signature, "sealed box is not for this key, or was altered");
    }
    return plain;
}

bool verify(const PublicKey& key, std::string_view message, const Signature& sig) {
    return crypto_sign_verify_detached(sig.data.data(), u8(message), message.size(),
                                       key.data.data()) == 0;
}

Result<CurveKey> curve_public(const PublicKey& key) {
    CurveKey out;
    if (crypto_sign_ed25519_pk_to_curve25519(out.data.data(), key.data.data()) != 0) {
        return fail(Errc::invalid, "not a valid Ed25519 public key");
    }
    return out;
}

Result<Bytes> seal_to(const PublicKey& key, std::string_view plain) {
    CLARITY_TRY(const CurveKey to, curve_public(key));
    Bytes out(plain.size() + crypto_box_SEALBYTES, '\0');
    crypto_box_seal(u8(out), u8(plain), plain.size(), to.data.data());
    return out;
}

Digest keyed_hash(std::string_view key, std::string_view message) {
    assert(key.size() >= crypto_generichash_KEYBYTES_MIN &&
           key.size() <= crypto_generichash_KEYBYTES_MAX);
    Digest out;
    crypto_generichash(out.data.data(), out.data.size(), u8(message), message.size(), u8(key),
                       key.size());
    return out;
}

std::string encode_key_file(const SigningKey& key, std::string_view passphrase) {
    if (passphrase.empty()) return std::string(plain_header) + to_base64(key.seed()) + "\n";
    const Bytes salt = random_bytes(crypto_pwhash_SALTBYTES);
    const auto box_key = key_from_passphrase(passphrase, salt);
    if (!box_key) std::abort();  // 64 MiB are not to be had: nothing safe can be written
    return std::string(argon_header) + to_base64(salt + encrypt(*box_key, key.seed())) + "\n";
}

Result<SigningKey> decode_key_file(std::string_view text, std::string_view passphrase) {
    if (text.starts_with(plain_header)) {
        CLARITY_TRY(const Bytes seed, from_base64(text.substr(plain_header.size())));
        return SigningKey::from_seed(seed);
    }
    if (!text.starts_with(argon_header)) return fail(Errc::invalid, "not a clarity key file");
    if (passphrase.empty()) return fail(Errc::denied, "the key file needs its passphrase");
    CLARITY_TRY(const Bytes raw, from_base64(text.substr(argon_header.size())));
    if (raw.size() < crypto_pwhash_SALTBYTES) return fail(Errc::invalid, "key file is cut short");
    CLARITY_TRY(
        const Bytes box_key,
        key_from_passphrase(passphrase, std::string_view(raw).substr(0, crypto_pwhash_SALTBYTES)));
    const auto seed = decrypt(box_key, std::string_view(raw).substr(crypto_pwhash_SALTBYTES));
    if (!seed) return fail(Errc::denied, "wrong passphrase for this key file");
    return SigningKey::from_seed(*seed);
}

Bytes encrypt(std::string_view key, std::string_view plain) {
    assert(key.size() == crypto_secretbox_KEYBYTES);
    Bytes out = random_bytes(crypto_secretbox_NONCEBYTES);
    const Bytes nonce = out;
    out.resize(nonce.size() + plain.size() + crypto_secretbox_MACBYTES);
    crypto_secretbox_easy(u8(out) + nonce.size(), u8(plain), plain.size(), u8(nonce), u8(key));
    return out;
}

Result<Bytes> decrypt(std::string_view key, std::string_view boxed) {
    assert(key.size() == crypto_secretbox_KEYBYTES);
    if (boxed.size() < crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES) {
        return fail(Errc::invalid, "encrypted data is cut short");
    }
    const auto nonce = boxed.substr(0, crypto_secretbox_NONCEBYTES);
    const auto body = boxed.substr(crypto_secretbox_NONCEBYTES);
    Bytes out(body.size() - crypto_secretbox_MACBYTES, '\0');
    if (crypto_secretbox_open_easy(u8(out), u8(body), body.size(), u8(nonce), u8(key)) != 0) {
        return fail(Errc::bad_signature, "wrong key, or the encrypted data was altered");
    }
    return out;
}

bool equal_secret(std::string_view a, std::string_view b) {
    return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace clarity
