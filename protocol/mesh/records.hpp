#pragma once

#include <map>
#include <set>
#include <span>

#include "protocol/mesh/membership.hpp"

namespace clarity::mesh {

/// The site's records: newest of each owner, verified before it is kept or passed on; pulls of what
/// others announced; and our own version's jump when peers know a higher one (lost disk).
class Records {
  public:
    /// `stored(owner, from)` is called for each record that is new here.
    using OnStored = std::function<void(MemberKey owner, MemberKey from)>;
    Records(Outbox& outbox, Membership& members, OnStored stored);

    [[nodiscard]] RecordsView all() const { return {members_.roll(), rows_, count_}; }
    [[nodiscard]] const StoredRecord* find(MemberKey owner) const;
    [[nodiscard]] RecordVersion next_version() const;
    void set_own(RecordVersion version, Bytes bytes);
    /// The member table changed from this roll to its present one: who is gone is forgotten.
    void members_changed(const Roll& before);

    /// Bodies from a peer; returns how many were new.
    std::size_t take(Index from, std::span<const RecordBody> bodies);
    /// A peer has these: pulls what is newer, after `delay_ms`.
    void consider(Index from, std::span<const Entry> entries, std::int64_t delay_ms);
    /// A peer asked for these owners' records.
    void serve(Index to, std::span<const MemberKey> owners);
    void on_time();
    [[nodiscard]] std::int64_t deadline() const { return pulls_.empty() ? never : pull_at_; }

    [[nodiscard]] const BucketDigest& digest() const { return digest_; }
    [[nodiscard]] std::vector<Entry> list(std::uint64_t& mask, std::size_t max) const;
    /// Sends the peer what it lacks in the fully listed buckets, up to the delta limit.
    void send_missing(Index to, std::uint64_t mask, std::span<const Entry> has);

  private:
    struct Pull {
        RecordVersion version;
        std::vector<MemberKey> sources;  // newest last, at most 4
        std::int64_t due_ms = 0;
        std::uint32_t attempts = 0;
    };
    Outbox& out_;
    Membership& members_;
    OnStored stored_;
    std::vector<RecordPtr> rows_;  // by place in the roll
    std::size_t count_ = 0;
    std::map<MemberKey, Pull> pulls_;
    std::int64_t pull_at_ = never;
    std::set<std::uint64_t> reported_;  // equivocations, by owner, version and hash
    BucketDigest digest_;

    enum class Verdict { known, older, newer, conflict };
    [[nodiscard]] Verdict judge(MemberKey owner, RecordVersion version, std::uint64_t hash) const;
    [[nodiscard]] bool verified(Index owner, const RecordBody& body);
    void store(Index owner, RecordVersion version, Bytes bytes, std::uint64_t hash);
    void own_copy(const RecordBody& body, std::uint64_t hash);
    void conflict(Index owner, const RecordBody& body, std::uint64_t hash, Index from);
    [[nodiscard]] std::map<MemberKey, std::vector<MemberKey>> due_by_source();
};

}  // namespace clarity::mesh
