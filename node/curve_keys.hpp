#pragma once

#include <map>

#include "protocol/keys.hpp"
#include "storage/kv.hpp"

namespace clarity {

/// The Curve25519 keys of the members' Ed25519 keys. To convert one means to check that the point
/// is in the right subgroup: some 40 µs, which for a large roster is much of an agent's start. So
/// what was converted once is kept on disk, which is ours, as the trust store is.
///
/// The loop's thread.
class CurveKeys {
  public:
    /// `store` outlives it. What cannot be read is converted anew.
    explicit CurveKeys(KeyValueStore& store);

    /// As curve_public().
    [[nodiscard]] Result<CurveKey> of(const PublicKey& key);
    /// Stores what came since, if anything did, without the keys not asked for since the last time.
    void store();

  private:
    struct Known {
        CurveKey curve;
        bool used = false;
    };
    KeyValueStore* store_;
    std::map<PublicKey, Known> known_;
    bool changed_ = false;
};

}  // namespace clarity
