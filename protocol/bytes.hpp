#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "protocol/error.hpp"

namespace clarity {

/// Byte strings are std::string and std::string_view throughout: what RocksDB, ZeroMQ and msgpack
/// take without a copy. Text is UTF-8 in the same types; a document's field says which it is.
using Bytes = std::string;

[[nodiscard]] std::string to_hex(std::string_view bytes);
[[nodiscard]] Result<Bytes> from_hex(std::string_view text);
/// RFC 4648 section 5 alphabet (URL-safe), no padding.
[[nodiscard]] std::string to_base64url(std::string_view bytes);
[[nodiscard]] Result<Bytes> from_base64url(std::string_view text);
/// RFC 4648 section 4 alphabet with padding; white space inside is ignored when decoding.
[[nodiscard]] std::string to_base64(std::string_view bytes);
[[nodiscard]] Result<Bytes> from_base64(std::string_view text);

/// A byte string of exactly N bytes with value semantics; Tag keeps keys and digests apart.
template <std::size_t N, class Tag>
struct FixedBytes {
    static constexpr std::size_t size_bytes = N;
    std::array<std::uint8_t, N> data{};

    auto operator<=>(const FixedBytes&) const = default;

    [[nodiscard]] std::string_view view() const {
        return {reinterpret_cast<const char*>(data.data()), N};
    }
    [[nodiscard]] Bytes bytes() const { return Bytes(view()); }
    [[nodiscard]] std::string hex() const { return to_hex(view()); }
    [[nodiscard]] bool is_zero() const { return *this == FixedBytes{}; }

    [[nodiscard]] static Result<FixedBytes> from(std::string_view raw) {
        if (raw.size() != N) {
            return fail(Errc::invalid, "expected {} bytes, got {}", N, raw.size());
        }
        FixedBytes out;
        std::memcpy(out.data.data(), raw.data(), N);
        return out;
    }
    [[nodiscard]] static Result<FixedBytes> from_hex(std::string_view text) {
        CLARITY_TRY(auto raw, clarity::from_hex(text));
        return from(raw);
    }
};

/// SHA-256 of something.
using Digest = FixedBytes<32, struct DigestTag>;
/// Ed25519 public key.
using PublicKey = FixedBytes<32, struct PublicKeyTag>;
/// SHA-256 of an Ed25519 public key: how signatures and roles name a key.
using KeyId = FixedBytes<32, struct KeyIdTag>;
/// Ed25519 detached signature.
using Signature = FixedBytes<64, struct SignatureTag>;
/// X25519 key, public or secret: ZeroMQ CURVE and sealed boxes.
using CurveKey = FixedBytes<32, struct CurveKeyTag>;

}  // namespace clarity
