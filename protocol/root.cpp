#include "protocol/root.hpp"

#include <set>

#include "protocol/codec.hpp"

namespace clarity {

template <class A>
void fields(A& a, Role& r) {
    a.value("keys", r.keys);
    a.value("threshold", r.threshold);
}

template <class A>
void fields(A& a, Root& r) {
    a.value("version", r.version);
    a.value("expires", r.expires_unix_s);
    a.value("roles", r.roles);
}

const Role* Root::find(std::string_view name) const {
    const auto found = roles.find(std::string(name));
    return found == roles.end() ? nullptr : &found->second;
}

Bytes Root::encode() const {
    return codec::encode(*this);
}

Result<Root> Root::decode(std::string_view payload) {
    CLARITY_TRY(auto out, codec::decode<Root>("root", payload, 256U << 10));
    for (const auto* name : {role::root, role::coordinator, role::artifact}) {
        if (out.find(name) == nullptr) return fail(Errc::invalid, "root has no role {}", name);
    }
    for (const auto& [name, each] : out.roles) {
        const std::set<PublicKey> distinct(each.keys.begin(), each.keys.end());
        if (distinct.size() != each.keys.size() || each.threshold == 0 ||
            each.threshold > each.keys.size()) {
            return fail(Errc::invalid, "root: role {} needs {} of {} distinct keys", name,
                        each.threshold, distinct.size());
        }
    }
    return out;
}

Result<Root> verify_first_root(const Envelope& envelope) {
    CLARITY_TRY(auto out, Root::decode(envelope.payload));
    CLARITY_CHECK(envelope.verify(payload_type::root, *out.find(role::root)));
    return out;
}

Result<Root> verify_next_root(const Root& current, const Envelope& next) {
    CLARITY_TRY(auto out, Root::decode(next.payload));
    if (out.version != current.version + 1) {
        return fail(Errc::conflict, "root version {} does not follow {}", out.version,
                    current.version);
    }
    CLARITY_CHECK(next.verify(payload_type::root, *current.find(role::root)));
    CLARITY_CHECK(next.verify(payload_type::root, *out.find(role::root)));
    return out;
}

}  // namespace clarity
