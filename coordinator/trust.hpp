#pragma once

#include <optional>
#include <vector>

#include "coordinator/store.hpp"
#include "protocol/root.hpp"

namespace clarity::coordinator {

/// The chain of roots this coordinator works under. It holds no root key: an operator uploads each
/// version signed. Loop thread only.
class Trust {
  public:
    /// `coordinator_key` must be in the coordinator role of every root taken.
    [[nodiscard]] static Result<Trust> load(Store& store, const PublicKey& coordinator_key);

    /// Takes the first root, or one that follows the newest. The newest again is fine.
    [[nodiscard]] Result<Digest> put(std::string_view envelope_bytes);

    /// The newest root, or a conflict that says how to make one.
    [[nodiscard]] Result<const Root*> current() const;
    [[nodiscard]] bool has_root() const { return root_.has_value(); }
    [[nodiscard]] std::uint64_t version() const { return root_ ? root_->version : 0; }
    /// Digest of version 1: what a join token pins. Zero without a root.
    [[nodiscard]] Digest first_digest() const { return first_digest_; }
    /// Digest of the newest version. Zero without a root.
    [[nodiscard]] Digest digest() const { return digest_; }
    /// Encoded envelopes, from version 1 on.
    [[nodiscard]] const std::vector<Bytes>& chain() const { return chain_; }

  private:
    Trust(Store& store, const PublicKey& key) : store_(&store), coordinator_key_(key) {}
    [[nodiscard]] Result<Root> check(const Envelope& envelope) const;
    void take(Root root, const Envelope& envelope, Bytes bytes);

    Store* store_;
    PublicKey coordinator_key_;
    std::optional<Root> root_;
    Digest first_digest_;
    Digest digest_;
    std::vector<Bytes> chain_;
};

}  // namespace clarity::coordinator
