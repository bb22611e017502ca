#pragma once

#include <map>
#include <set>
#include <span>

#include "protocol/mesh/membership.hpp"

namespace clarity::mesh {

/// Content-addressed documents: what we offer, what others were seen to offer, and what we pull,
/// a part at a time, from one source after the other until it is there.
class Documents {
  public:
    /// `offered(digest)` is called when a document is offered here for the first time.
    using OnOffered = std::function<void(const Digest& digest, MemberKey from)>;
    Documents(Outbox& outbox, Membership& members, OnOffered offered);

    void offer(const DocumentAd& ad, std::shared_ptr<const Bytes> body);
    void withdraw(const Digest& digest);
    void want(const Digest& digest);
    [[nodiscard]] std::vector<DocumentAd> offered() const;
    [[nodiscard]] const DocumentAd* find(const Digest& digest) const;

    /// A peer offers these.
    void take_ads(Index from, std::span<const DocumentAd> ads);
    void serve(Index to, const Digest& digest, std::uint64_t offset);
    void take_part(Index from, const Frame& part);
    void on_time();
    [[nodiscard]] std::int64_t deadline() const { return pulls_.empty() ? never : pull_at_; }

    [[nodiscard]] const BucketDigest& digest() const { return set_; }
    [[nodiscard]] std::vector<DocumentAd> list(std::uint64_t& mask, std::size_t max) const;
    /// What was offered here last.
    [[nodiscard]] std::vector<DocumentAd> latest(std::size_t max) const;
    /// Ads that the peer lacks in the fully listed buckets.
    [[nodiscard]] std::vector<DocumentAd> missing(std::uint64_t mask,
                                                  std::span<const DocumentAd> has) const;

  private:
    struct Offered {
        DocumentAd ad;
        std::shared_ptr<const Bytes> body;
        std::uint64_t order = 0;  // of arrival
    };
    struct Seen {
        DocumentAd ad;
        std::vector<MemberKey> sources;  // newest last
        std::int64_t reported_ms = -1;
        MemberKey reported_of = 0;  // whose ad our owner was told of
    };
    struct Pull {
        Bytes body;
        std::uint64_t size_bytes = 0;  // as the current source says; 0 = not known yet
        MemberKey source = 0;          // gave the last part, or was asked last
        std::set<MemberKey> asked;     // for the next part: only these may give it
        bool in_flight = false;
        bool mixed = false;  // parts of several sources
        std::int64_t due_ms = 0;
        std::uint32_t attempts = 0;
        MemberKey promised_by = 0;  // whose ad made us want it; 0 = we knew of it otherwise
        std::set<MemberKey> bad;    // lied or lacks it; forgiven when nobody else is left
    };
    Outbox& out_;
    Membership& members_;
    OnOffered offered_hook_;
    std::map<Digest, Offered> offered_;
    std::map<Digest, Seen> seen_;
    std::map<Digest, Pull> pulls_;
    std::unordered_map<MemberKey, std::size_t> promises_;  // pulls by promised_by
    std::int64_t pull_at_ = never;
    std::int64_t served_second_ = -1;
    std::uint32_t served_ = 0;
    std::uint64_t order_ = 0;
    BucketDigest set_;

    void end_pull(const Digest& digest);
    [[nodiscard]] std::vector<Digest> due_pulls();
    void note_source(Seen& seen, MemberKey source);
    void schedule(Pull& pull, std::int64_t due_ms);
    [[nodiscard]] std::vector<Index> choose_sources(const Digest& digest, Pull& pull);
    void ask(const Digest& digest, Pull& pull);
    void source_failed(Pull& pull, MemberKey source);
    void complete(Index from, const Digest& digest, Pull& pull, const DocumentAd& ad);
};

}  // namespace clarity::mesh
