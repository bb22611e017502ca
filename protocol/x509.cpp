#include "protocol/x509.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <memory>

#include "protocol/sha256.hpp"

namespace clarity::x509 {
namespace {

template <auto Free>
struct Deleter {
    template <class T>
    void operator()(T* p) const {
        Free(p);
    }
};
using Pkey = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Deleter<X509_free>>;
using RequestPtr = std::unique_ptr<X509_REQ, Deleter<X509_REQ_free>>;
using Bio = std::unique_ptr<BIO, Deleter<BIO_free_all>>;
using Extension = std::unique_ptr<X509_EXTENSION, Deleter<X509_EXTENSION_free>>;

constexpr std::size_t common_name_max = 64;  // ub-common-name of RFC 5280
constexpr std::size_t sans_max = 64;
constexpr long day_s = 24L * 3600;

tl::unexpected<Error> openssl_failed(std::string_view what) {
    char text[256] = "";
    const auto code = ERR_get_error();
    if (code != 0) ERR_error_string_n(code, text, sizeof text);
    ERR_clear_error();
    return fail(Errc::invalid, "{}{}{}", what, code != 0 ? ": " : "", text);
}

Result<Bio> reader(std::string_view pem) {
    if (pem.empty()) return fail(Errc::invalid, "PEM text is empty");
    if (pem.size() > pem_max_bytes) {
        return fail(Errc::invalid, "PEM text of {} bytes is over the limit of {}", pem.size(),
                    pem_max_bytes);
    }
    Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    if (!bio) return openssl_failed("out of memory");
    return bio;
}

std::string text_of(BIO* bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    return {data, static_cast<std::size_t>(size)};
}

Result<Pkey> private_key(const SigningKey& key) {
    const Bytes seed = key.seed();
    Pkey out(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr,
                                          reinterpret_cast<const unsigned char*>(seed.data()),
                                          seed.size()));
    if (!out) return openssl_failed("cannot use the Ed25519 key");
    return out;
}

Result<PublicKey> raw_public(EVP_PKEY* key, std::string_view what) {
    if (key == nullptr || EVP_PKEY_get_id(key) != EVP_PKEY_ED25519) {
        return fail(Errc::invalid, "{} does not have an Ed25519 key", what);
    }
    PublicKey out;
    std::size_t size = out.data.size();
    if (EVP_PKEY_get_raw_public_key(key, out.data.data(), &size) != 1) {
        return openssl_failed("cannot read the public key");
    }
    return out;
}

Result<Certificate> read_certificate(std::string_view pem) {
    CLARITY_TRY(auto bio, reader(pem));
    Certificate out(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (!out) return openssl_failed("not a PEM certificate");
    return out;
}

/// The request, once its self-signature is checked.
Result<RequestPtr> read_request(std::string_view pem) {
    CLARITY_TRY(auto bio, reader(pem));
    RequestPtr out(PEM_read_bio_X509_REQ(bio.get(), nullptr, nullptr, nullptr));
    if (!out) return openssl_failed("not a PEM certificate request");
    EVP_PKEY* key = X509_REQ_get0_pubkey(out.get());
    CLARITY_TRY([[maybe_unused]] const auto raw, raw_public(key, "certificate request"));
    if (X509_REQ_verify(out.get(), key) != 1) {
        ERR_clear_error();
        return fail(Errc::bad_signature, "certificate request is not signed by its own key");
    }
    return out;
}

Result<void> set_name(X509_NAME* name, std::string_view common_name) {
    if (common_name.empty() || common_name.size() > common_name_max) {
        return fail(Errc::invalid, "certificate name must have 1 to {} bytes: \"{}\"",
                    common_name_max, common_name);
    }
    if (X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                   reinterpret_cast<const unsigned char*>(common_name.data()),
                                   static_cast<int>(common_name.size()), -1, 0) != 1) {
        return openssl_failed("cannot set the certificate's name");
    }
    return {};
}

Result<void> add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
    if (!extension || X509_add_ext(certificate, extension.get(), -1) != 1) {
        return openssl_failed(fmt::format("cannot add certificate extension \"{}\"", value));
    }
    return {};
}

/// An unsigned certificate: version, random serial, validity.
Result<Certificate> blank(std::int64_t now_unix_s, int days) {
    Certificate out(X509_new());
    if (!out || X509_set_version(out.get(), 2) != 1) return openssl_failed("out of memory");
    Bytes serial = random_bytes(16);
    serial[0] = static_cast<char>((static_cast<unsigned char>(serial[0]) & 0x7fU) | 0x40U);
    const std::unique_ptr<BIGNUM, Deleter<BN_free>> number(
        BN_bin2bn(reinterpret_cast<const unsigned char*>(serial.data()),
                  static_cast<int>(serial.size()), nullptr));
    if (!number || BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(out.get())) == nullptr) {
        return openssl_failed("cannot set the serial number");
    }
    std::time_t now = static_cast<std::time_t>(now_unix_s);
    if (X509_time_adj_ex(X509_getm_notBefore(out.get()), -1, 0, &now) == nullptr ||
        X509_time_adj_ex(X509_getm_notAfter(out.get()), days, 0, &now) == nullptr) {
        return openssl_failed("cannot set the validity");
    }
    return out;
}

Result<std::string> sign_and_write(X509* certificate, const SigningKey& key) {
    CLARITY_TRY(auto pkey, private_key(key));
    if (X509_sign(certificate, pkey.get(), nullptr) <= 0) {
        return openssl_failed("cannot sign the certificate");
    }
    const Bio bio(BIO_new(BIO_s_mem()));
    if (!bio || PEM_write_bio_X509(bio.get(), certificate) != 1) {
        return openssl_failed("cannot write the certificate");
    }
    return text_of(bio.get());
}

Result<std::string> joined_sans(const std::vector<std::string>& sans) {
    if (sans.empty() || sans.size() > sans_max) {
        return fail(Errc::invalid, "a certificate needs 1 to {} alternative names", sans_max);
    }
    std::string out;
    for (const auto& san : sans) {
        for (const char c : san) {
            if (c == ',' || c == '\\' || c <= ' ' || c == 127) {
                return fail(Errc::invalid, "\"{}\" cannot be a certificate's name", san);
            }
        }
        out += (out.empty() ? "" : ",") + san;
    }
    return out;
}

bool is_address(const std::string& host) {
    const std::unique_ptr<ASN1_OCTET_STRING, Deleter<ASN1_OCTET_STRING_free>> ip(
        a2i_IPADDRESS(host.c_str()));
    ERR_clear_error();
    return ip != nullptr;
}

}  // namespace

Result<std::string> make_ca(const SigningKey& key, std::string_view name, std::int64_t now_unix_s,
                            int days) {
    CLARITY_TRY(auto out, blank(now_unix_s, days));
    CLARITY_TRY(auto pkey, private_key(key));
    CLARITY_CHECK(set_name(X509_get_subject_name(out.get()), name));
    if (X509_set_issuer_name(out.get(), X509_get_subject_name(out.get())) != 1 ||
        X509_set_pubkey(out.get(), pkey.get()) != 1) {
        return openssl_failed("cannot fill the CA certificate");
    }
    X509* self = out.get();
    CLARITY_CHECK(add_extension(self, self, NID_basic_constraints, "critical,CA:TRUE,pathlen:0"));
    CLARITY_CHECK(add_extension(self, self, NID_key_usage, "critical,keyCertSign,cRLSign"));
    CLARITY_CHECK(add_extension(self, self, NID_subject_key_identifier, "hash"));
    return sign_and_write(self, key);
}

Result<std::string> make_csr(const SigningKey& key, std::string_view common_name) {
    const RequestPtr out(X509_REQ_new());
    CLARITY_TRY(auto pkey, private_key(key));
    if (!out || X509_REQ_set_version(out.get(), 0) != 1 ||
        X509_REQ_set_pubkey(out.get(), pkey.get()) != 1) {
        return openssl_failed("cannot make a certificate request");
    }
    CLARITY_CHECK(set_name(X509_REQ_get_subject_name(out.get()), common_name));
    if (X509_REQ_sign(out.get(), pkey.get(), nullptr) <= 0) {
        return openssl_failed("cannot sign the certificate request");
    }
    const Bio bio(BIO_new(BIO_s_mem()));
    if (!bio || PEM_write_bio_X509_REQ(bio.get(), out.get()) != 1) {
        return openssl_failed("cannot write the certificate request");
    }
    return text_of(bio.get());
}

Result<std::string> issue(const Authority& authority, std::string_view csr_pem,
                          const Subject& subject) {
    CLARITY_TRY(auto request, read_request(csr_pem));
    CLARITY_TRY(auto ca, read_certificate(authority.certificate_pem));
    CLARITY_TRY(const auto ca_key, raw_public(X509_get0_pubkey(ca.get()), "CA certificate"));
    if (ca_key != authority.key.public_key()) {
        return fail(Errc::invalid, "the CA's key does not belong to its certificate");
    }
    CLARITY_TRY(const auto sans, joined_sans(subject.sans));
    CLARITY_TRY(auto out, blank(subject.now_unix_s, subject.days));
    CLARITY_CHECK(set_name(X509_get_subject_name(out.get()), subject.common_name));
    if (X509_set_issuer_name(out.get(), X509_get_subject_name(ca.get())) != 1 ||
        X509_set_pubkey(out.get(), X509_REQ_get0_pubkey(request.get())) != 1) {
        return openssl_failed("cannot fill the certificate");
    }
    X509* certificate = out.get();
    CLARITY_CHECK(add_extension(certificate, ca.get(), NID_basic_constraints, "critical,CA:FALSE"));
    CLARITY_CHECK(add_extension(certificate, ca.get(), NID_key_usage, "critical,digitalSignature"));
    CLARITY_CHECK(add_extension(certificate, ca.get(), NID_ext_key_usage, "serverAuth,clientAuth"));
    CLARITY_CHECK(add_extension(certificate, ca.get(), NID_subject_key_identifier, "hash"));
    CLARITY_CHECK(add_extension(certificate, ca.get(), NID_authority_key_identifier, "keyid"));
    CLARITY_CHECK(add_extension(certificate, ca.get(), NID_subject_alt_name, sans));
    return sign_and_write(certificate, authority.key);
}

Result<std::string> issue_server(const Authority& authority, const SigningKey& server_key,
                                 const std::vector<std::string>& hosts, std::int64_t now_unix_s,
                                 int days) {
    Subject subject{.common_name = "clarity", .sans = {}, .now_unix_s = now_unix_s, .days = days};
    for (const auto& host : hosts) {
        subject.sans.push_back((is_address(host) ? "IP:" : "DNS:") + host);
    }
    CLARITY_TRY(const auto csr, make_csr(server_key, subject.common_name));
    return issue(authority, csr, subject);
}

Result<Digest> fingerprint_sha256(std::string_view certificate_pem) {
    CLARITY_TRY(auto certificate, read_certificate(certificate_pem));
    unsigned char* der = nullptr;
    const int size = i2d_X509(certificate.get(), &der);
    if (size <= 0) return openssl_failed("cannot encode the certificate");
    const Digest out = sha256({reinterpret_cast<const char*>(der), static_cast<std::size_t>(size)});
    OPENSSL_free(der);
    return out;
}

Result<PublicKey> public_key_of_csr(std::string_view csr_pem) {
    CLARITY_TRY(auto request, read_request(csr_pem));
    return raw_public(X509_REQ_get0_pubkey(request.get()), "certificate request");
}

Result<PublicKey> public_key_of_certificate(std::string_view certificate_pem) {
    CLARITY_TRY(auto certificate, read_certificate(certificate_pem));
    return raw_public(X509_get0_pubkey(certificate.get()), "certificate");
}

Result<std::int64_t> expiry_of(std::string_view certificate_pem) {
    CLARITY_TRY(auto certificate, read_certificate(certificate_pem));
    const std::unique_ptr<ASN1_TIME, Deleter<ASN1_TIME_free>> epoch(ASN1_TIME_set(nullptr, 0));
    int days = 0;
    int seconds = 0;
    if (!epoch ||
        ASN1_TIME_diff(&days, &seconds, epoch.get(), X509_get0_notAfter(certificate.get())) != 1) {
        return openssl_failed("cannot read the certificate's validity");
    }
    return static_cast<std::int64_t>(days) * day_s + seconds;
}

Result<std::string> private_key_pem(const SigningKey& key) {
    CLARITY_TRY(auto pkey, private_key(key));
    const Bio bio(BIO_new(BIO_s_secmem()));
    if (!bio || PEM_write_bio_PKCS8PrivateKey(bio.get(), pkey.get(), nullptr, nullptr, 0, nullptr,
                                              nullptr) != 1) {
        return openssl_failed("cannot write the private key");
    }
    return text_of(bio.get());
}

}  // namespace clarity::x509
