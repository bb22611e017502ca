#include "protocol/sha256.hpp"

#include <openssl/evp.h>

#include <cassert>

namespace clarity {

namespace {

/// Fetched once: EVP_sha256() looks the provider up at each start, which costs as much as hashing
/// a kilobyte.
const EVP_MD* algorithm() {
    static const EVP_MD* const fetched = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    return fetched;
}

}  // namespace

struct Sha256::Context {
    EVP_MD_CTX* evp = EVP_MD_CTX_new();
    Context() { start(); }
    ~Context() { EVP_MD_CTX_free(evp); }
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;

    void start() {
        [[maybe_unused]] const int ok = EVP_DigestInit_ex(evp, algorithm(), nullptr);
        assert(ok == 1);
    }
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::string_view bytes) {
    EVP_DigestUpdate(context_->evp, bytes.data(), bytes.size());
}

Digest Sha256::finish() {
    Digest out;
    unsigned int length = 0;
    EVP_DigestFinal_ex(context_->evp, out.data.data(), &length);
    assert(length == Digest::size_bytes);
    context_->start();
    return out;
}

Digest sha256(std::string_view bytes) {
    Sha256 hash;
    hash.update(bytes);
    return hash.finish();
}

}  // namespace clarity
