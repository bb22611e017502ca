#include "protocol/http/client_tls.hpp"

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include <memory>

#include "protocol/http/libcurl.hpp"

namespace clarity::http_detail {

namespace {

bool has_digest(X509* certificate, const Digest& pin) {
    Digest digest;
    unsigned int length = 0;
    return X509_digest(certificate, EVP_sha256(), digest.data.data(), &length) == 1 &&
           length == Digest::size_bytes && digest == pin;
}

/// Does the chain from the server's own certificate end at `anchor`?
int verify_up_to(X509_STORE_CTX* context, X509* anchor) {
    const std::unique_ptr<X509_STORE, decltype(&X509_STORE_free)> store(X509_STORE_new(),
                                                                        &X509_STORE_free);
    const std::unique_ptr<X509_STORE_CTX, decltype(&X509_STORE_CTX_free)> inner(
        X509_STORE_CTX_new(), &X509_STORE_CTX_free);
    if (!store || !inner || X509_STORE_add_cert(store.get(), anchor) != 1 ||
        X509_STORE_CTX_init(inner.get(), store.get(), X509_STORE_CTX_get0_cert(context),
                            X509_STORE_CTX_get0_untrusted(context)) != 1) {
        X509_STORE_CTX_set_error(context, X509_V_ERR_OUT_OF_MEM);
        return 0;
    }
    X509_STORE_CTX_set_flags(inner.get(), X509_V_FLAG_PARTIAL_CHAIN);
    X509_STORE_CTX_set_default(inner.get(), "ssl_server");
    const int good = X509_verify_cert(inner.get());
    X509_STORE_CTX_set_error(context, X509_STORE_CTX_get_error(inner.get()));
    return good == 1 ? 1 : 0;
}

int verify_pin(X509_STORE_CTX* context, void* argument) {
    const auto& pin = *static_cast<const Digest*>(argument);
    X509* own = X509_STORE_CTX_get0_cert(context);
    if (own != nullptr && has_digest(own, pin)) return verify_up_to(context, own);
    auto* chain = X509_STORE_CTX_get0_untrusted(context);
    for (int i = 0; chain != nullptr && i < sk_X509_num(chain); ++i) {
        X509* each = sk_X509_value(chain, i);
        if (has_digest(each, pin)) return verify_up_to(context, each);
    }
    X509_STORE_CTX_set_error(context, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT);
    return 0;
}

CURLcode install_pin(CURL*, void* ssl_context, void* argument) {
    auto* context = static_cast<SSL_CTX*>(ssl_context);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_cert_verify_callback(context, &verify_pin, argument);
    return CURLE_OK;
}

void set_blob(CURL* handle, CURLoption option, const std::string& pem) {
    curl_blob blob{};
    blob.data = const_cast<char*>(pem.data());  // NOCOPY: only read
    blob.len = pem.size();
    blob.flags = CURL_BLOB_NOCOPY;
    curl().easy_setopt(handle, option, &blob);
}

}  // namespace

Result<void> set_tls(CURL* handle, const HttpRequest& request) {
    curl().easy_setopt(handle, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    curl().easy_setopt(handle, CURLOPT_CERTINFO, 1L);
    if (request.insecure_any_server) {
        curl().easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 0L);
        curl().easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 0L);
        return {};
    }
    if (request.insecure_pin_sha256 || !request.ca_pem.empty()) {
        // Only what we were given: the system's folder would otherwise stay trusted beside it.
        curl().easy_setopt(handle, CURLOPT_CAINFO, nullptr);
        curl().easy_setopt(handle, CURLOPT_CAPATH, nullptr);
    }
    if (request.insecure_pin_sha256) {
        if (curl().easy_setopt(handle, CURLOPT_SSL_CTX_FUNCTION, &install_pin) != CURLE_OK) {
            return fail(Errc::unavailable, "this libcurl is built without OpenSSL: cannot pin");
        }
        curl().easy_setopt(handle, CURLOPT_SSL_CTX_DATA,
                           const_cast<Digest*>(&*request.insecure_pin_sha256));
    } else if (!request.ca_pem.empty()) {
        set_blob(handle, CURLOPT_CAINFO_BLOB, request.ca_pem);
    }
    if (!request.client_cert_pem.empty()) {
        curl().easy_setopt(handle, CURLOPT_SSLCERTTYPE, "PEM");
        curl().easy_setopt(handle, CURLOPT_SSLKEYTYPE, "PEM");
        set_blob(handle, CURLOPT_SSLCERT_BLOB, request.client_cert_pem);
        set_blob(handle, CURLOPT_SSLKEY_BLOB, request.client_key_pem);
    }
    return {};
}

std::vector<std::string> peer_chain(CURL* handle) {
    constexpr std::string_view field = "Cert:";
    curl_certinfo* info = nullptr;
    std::vector<std::string> chain;
    if (curl().easy_getinfo(handle, CURLINFO_CERTINFO, &info) != CURLE_OK || info == nullptr) {
        return chain;
    }
    for (int i = 0; i < info->num_of_certs; ++i) {
        for (const auto* line = info->certinfo[i]; line != nullptr; line = line->next) {
            const std::string_view text(line->data);
            if (text.starts_with(field)) chain.emplace_back(text.substr(field.size()));
        }
    }
    return chain;
}

}  // namespace clarity::http_detail
