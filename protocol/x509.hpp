#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "protocol/keys.hpp"

namespace clarity::x509 {

/// X.509 certificates of a small CA, Ed25519 throughout, PEM text in and out. Pure: `now_unix_s` is
/// an argument. Certificates are valid from one day before it, for clocks that lag. Lifetimes are
/// long, because a site may be dark for months: who belongs is decided by the roster, not by an
/// expiry date. Any thread.
inline constexpr int ca_days = 3650;
inline constexpr int member_days = 1825;

/// How much a PEM from outside may have.
inline constexpr std::size_t pem_max_bytes = 64U << 10;

/// A self-signed CA certificate for `key` (path length 0, may only sign certificates and CRLs).
[[nodiscard]] Result<std::string> make_ca(const SigningKey& key, std::string_view name,
                                          std::int64_t now_unix_s, int days = ca_days);

/// A certificate request for `key`, signed by it: the proof that its sender holds the key.
[[nodiscard]] Result<std::string> make_csr(const SigningKey& key, std::string_view common_name);

/// What a certificate is issued by.
struct Authority {
    const SigningKey& key;
    std::string_view certificate_pem;
};

/// What of the certificate the authority decides; nothing in the request is taken but its key.
struct Subject {
    std::string common_name;
    /// OpenSSL form: "DNS:*" (members: good for any torrent), "DNS:host", "IP:10.0.0.1".
    std::vector<std::string> sans;
    std::int64_t now_unix_s = 0;
    int days = member_days;
};

/// A certificate for the key of `csr_pem`, for both ends of TLS. Fails with bad_signature when the
/// request is not signed by its own key, invalid when it is malformed or not Ed25519.
[[nodiscard]] Result<std::string> issue(const Authority& authority, std::string_view csr_pem,
                                        const Subject& subject);

/// A certificate for a server of ours (the REST API): `hosts` are names or addresses.
[[nodiscard]] Result<std::string> issue_server(const Authority& authority,
                                               const SigningKey& server_key,
                                               const std::vector<std::string>& hosts,
                                               std::int64_t now_unix_s, int days = member_days);

/// SHA-256 of the first certificate's DER: what people compare and join tokens pin.
[[nodiscard]] Result<Digest> fingerprint_sha256(std::string_view certificate_pem);

/// The key of a request whose self-signature holds.
[[nodiscard]] Result<PublicKey> public_key_of_csr(std::string_view csr_pem);
[[nodiscard]] Result<PublicKey> public_key_of_certificate(std::string_view certificate_pem);

/// When the certificate stops being valid, unix seconds.
[[nodiscard]] Result<std::int64_t> expiry_of(std::string_view certificate_pem);

/// PKCS#8 PEM of the private key: for libtorrent, curl and Asio, which want it so. Secret.
[[nodiscard]] Result<std::string> private_key_pem(const SigningKey& key);

}  // namespace clarity::x509
