#pragma once

#include "protocol/mesh/documents.hpp"
#include "protocol/mesh/membership.hpp"
#include "protocol/mesh/records.hpp"

namespace clarity::mesh {

/// Repairs whatever gossip missed. Every ping and ack carries one hash of all that its sender
/// holds; who sees another than its own starts an exchange, at most one per `anti_entropy_ms`:
///
///     A → B  digest   three root hashes (members, records, documents)
///     B → A  buckets  64 bucket hashes of each set that differs; nothing if none does;
///                     and the ads of the latest documents
///     A → B  entries  what A has in the buckets that differ (request)
///     B → A  entries  B's side of members and documents; records that A lacks; pulls from A
///
/// Stateless at both ends, so that a lost frame costs one round. Silent while all are equal.
class AntiEntropy {
  public:
    AntiEntropy(Outbox& outbox, Membership& members, Records& records, Documents& documents);

    /// Of all that we hold: what pings and acks carry.
    [[nodiscard]] std::uint64_t root() const;
    /// This peer said so of itself.
    void compare(Index peer, std::uint64_t root);
    /// Starts an exchange with this member now (it has just come back, or has more for us), unless
    /// one just started.
    void start_with(Index peer);
    void take_digest(Index from, const Frame& frame);
    void take_buckets(Index from, const Frame& frame);
    void take_entries(Index from, const Frame& frame);

  private:
    Outbox& out_;
    Membership& members_;
    Records& records_;
    Documents& documents_;
    std::int64_t not_before_ms_ = 0;
    std::int64_t extra_not_before_ms_ = 0;

    void send_digest(Index to);
    [[nodiscard]] const BucketDigest& digest_of(std::size_t set) const;
};

}  // namespace clarity::mesh
