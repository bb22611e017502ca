#pragma once

#include "protocol/mesh/documents.hpp"
#include "protocol/mesh/membership.hpp"
#include "protocol/mesh/records.hpp"

namespace clarity::mesh {

/// Repairs whatever gossip missed, with one random member at a time:
///
///     A → B  digest   three root hashes (members, records, documents)
///     B → A  buckets  64 bucket hashes of each set that differs; nothing if none does;
///                     and the ads of the latest documents
///     A → B  entries  what A has in the buckets that differ (request)
///     B → A  entries  B's side of members and documents; records that A lacks; pulls from A
///
/// Stateless at both ends, so that a lost frame costs one round.
class AntiEntropy {
  public:
    AntiEntropy(Outbox& outbox, Membership& members, Records& records, Documents& documents);

    void members_changed();
    /// Starts an exchange with this member now (it has just come back), unless one just started.
    void start_with(Index peer);
    void take_digest(Index from, const Frame& frame);
    void take_buckets(Index from, const Frame& frame);
    void take_entries(Index from, const Frame& frame);
    void on_time();
    [[nodiscard]] std::int64_t deadline() const { return next_at_; }

  private:
    Outbox& out_;
    Membership& members_;
    Records& records_;
    Documents& documents_;
    std::int64_t next_at_ = never;
    std::int64_t extra_not_before_ms_ = 0;

    void send_digest(Index to);
    [[nodiscard]] const BucketDigest& digest_of(std::size_t set) const;
};

}  // namespace clarity::mesh
