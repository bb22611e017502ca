#include "protocol/envelope.hpp"

#include <algorithm>
#include <set>

#include "protocol/codec.hpp"
#include "protocol/sha256.hpp"

namespace clarity {
namespace {
constexpr std::size_t signatures_max = 64;
constexpr std::size_t values_max = 1024;
}  // namespace

template <class A>
void fields(A& a, EnvelopeSignature& s) {
    a.value("key_id", s.key_id);
    a.value("sig", s.signature);
}

template <class A>
void fields(A& a, Envelope& e) {
    a.text("type", e.type);
    a.bin("payload", e.payload);
    a.value("signatures", e.signatures);
}

Bytes Envelope::pre_auth() const {
    return fmt::format("DSSEv1 {} {} {} ", type.size(), type, payload.size()) + payload;
}

Digest Envelope::digest() const {
    return sha256(pre_auth());
}
Bytes Envelope::encode() const {
    return codec::encode(*this);
}

Result<Envelope> Envelope::decode(std::string_view bytes) {
    CLARITY_TRY(auto out,
                codec::decode<Envelope>("envelope", bytes, codec::document_max_bytes, values_max));
    if (out.signatures.size() > signatures_max) {
        return fail(Errc::invalid, "envelope has more than {} signatures", signatures_max);
    }
    return out;
}

Envelope Envelope::make(std::string_view type, Bytes payload) {
    return Envelope{std::string(type), std::move(payload), {}};
}

void Envelope::sign(const SigningKey& key) {
    const KeyId id = key.id();
    std::erase_if(signatures, [&](const auto& each) { return each.key_id == id; });
    signatures.push_back({id, key.sign(pre_auth())});
}

Result<void> Envelope::verify(std::string_view expected_type, const Role& role) const {
    if (type != expected_type) {
        return fail(Errc::bad_signature, "expected {}, got {}", expected_type, type);
    }
    if (role.threshold == 0 || role.keys.empty()) {
        return fail(Errc::bad_signature, "the role has no keys");
    }
    const Bytes message = pre_auth();
    std::set<KeyId> valid;
    for (const auto& key : role.keys) {
        const KeyId id = key_id_of(key);
        const auto named = [&](const auto& each) { return each.key_id == id; };
        const auto found = std::find_if(signatures.begin(), signatures.end(), named);
        if (found != signatures.end() && clarity::verify(key, message, found->signature)) {
            valid.insert(id);
        }
    }
    if (valid.size() < role.threshold) {
        return fail(Errc::bad_signature, "{} valid signature(s) of {} needed", valid.size(),
                    role.threshold);
    }
    return {};
}

}  // namespace clarity
