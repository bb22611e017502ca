#include "coordinator/trust.hpp"

#include <algorithm>

namespace clarity::coordinator {

Result<Trust> Trust::load(Store& store, const PublicKey& coordinator_key) {
    Trust out(store, coordinator_key);
    CLARITY_TRY(const auto rows, store.rows(schema::root));
    for (const auto& [key, bytes] : rows) {
        CLARITY_TRY(const auto envelope, Envelope::decode(bytes));
        auto root = out.check(envelope);
        if (!root) return fail_within("stored root", std::move(root));
        out.take(*std::move(root), envelope, bytes);
    }
    return out;
}

Result<Root> Trust::check(const Envelope& envelope) const {
    CLARITY_TRY(auto root,
                root_ ? verify_next_root(*root_, envelope) : verify_first_root(envelope));
    if (!root_ && root.version != 1) {
        return fail(Errc::invalid, "the first root must be version 1, not {}", root.version);
    }
    const Role* mine = root.find(role::coordinator);
    if (mine == nullptr ||
        std::find(mine->keys.begin(), mine->keys.end(), coordinator_key_) == mine->keys.end()) {
        return fail(Errc::invalid,
                    "the root does not list this coordinator's key {} in its role \"coordinator\"; "
                    "take the key from GET /api/v1/info",
                    coordinator_key_.hex());
    }
    return root;
}

void Trust::take(Root root, const Envelope& envelope, Bytes bytes) {
    digest_ = envelope.digest();
    if (!root_) first_digest_ = digest_;
    root_ = std::move(root);
    chain_.push_back(std::move(bytes));
}

Result<Digest> Trust::put(std::string_view envelope_bytes) {
    CLARITY_TRY(const auto envelope, Envelope::decode(envelope_bytes));
    if (root_ && envelope.digest() == digest_) return digest_;
    if (root_) {
        const auto offered = Root::decode(envelope.payload);
        if (offered && offered->version <= root_->version) {
            return fail(Errc::conflict,
                        "root version {} is in force here; a new one must be version {}",
                        root_->version, root_->version + 1);
        }
    }
    CLARITY_TRY(auto root, check(envelope));
    const auto version = schema::number(root.version);
    CLARITY_CHECK(store_->put(schema::key(schema::root, {version}), envelope_bytes));
    take(std::move(root), envelope, Bytes(envelope_bytes));
    return digest_;
}

Result<const Root*> Trust::current() const {
    if (root_) return &*root_;
    return fail(Errc::conflict,
                "there is no root of trust yet; make one with \"clarity root init\"");
}

}  // namespace clarity::coordinator
