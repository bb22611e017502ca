#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <unordered_map>

#include "protocol/mesh/frame.hpp"
#include "protocol/mesh/suspicion.hpp"

namespace clarity::mesh {

/// One line of the member table.
struct Member {
    std::string id;
    MemberKey key = 0;
    State state = State::unknown;
    std::uint8_t transmits = 0;  ///< how often its state is still to be piggybacked
    std::uint64_t incarnation = 0;
    std::int64_t last_heard_ms = -1;
    MemberKey witness = 0;
    std::int64_t noticed_ms = -1;  ///< when we last told it what is said of it
};

/// Who belongs (roster) and who lives (SWIM): the member table, the rules by which claims about
/// members win over each other, suspicions, our own incarnation, and what is piggybacked on frames.
///
/// Claims are ordered as in SWIM section 4.2: a higher incarnation wins; at equal incarnations
/// left > dead > suspect > alive. One addition: hearsay of a death that contradicts evidence of
/// life younger than `hearsay_ms` is taken for a suspicion. After a partition heals, both sides
/// bury each other's members for ever otherwise, or until each has refuted.
class Membership {
  public:
    /// What others do when something changes; set once, before use.
    struct Hooks {
        std::function<void()> changed = [] {};                ///< there are updates to spread
        std::function<void(Index)> returned = [](Index) {};   ///< its own frame made it alive
        std::function<void(Index)> suspected = [](Index) {};  ///< by somebody else
    };

    Membership(Outbox& outbox, std::uint64_t first_incarnation);
    Hooks hooks;

    void set_members(const std::vector<MemberSpec>& specs);
    /// In the roster, and not leaving: only then are frames sent or taken.
    [[nodiscard]] bool taking_part() const { return self_.has_value() && !left_; }

    [[nodiscard]] std::size_t size() const { return members_.size(); }
    [[nodiscard]] const Member& at(Index i) const { return members_[i]; }
    [[nodiscard]] const std::vector<Member>& all() const { return members_; }
    [[nodiscard]] Index self() const { return *self_; }
    [[nodiscard]] MemberKey self_key() const { return self_key_; }
    [[nodiscard]] std::optional<Index> find(std::string_view id) const;
    [[nodiscard]] std::optional<Index> find_key(MemberKey key) const;
    /// Alive or suspect: worth talking to.
    [[nodiscard]] bool reachable(Index i) const;
    [[nodiscard]] std::size_t reachable_count() const { return reachable_; }  ///< without self
    [[nodiscard]] std::size_t unknown_count() const { return unknown_; }

    [[nodiscard]] std::uint64_t incarnation() const { return incarnation_; }
    /// Raises our incarnation to at least `value`, has it stored, and says so to everybody.
    void raise_incarnation(std::uint64_t value);
    void leave();

    /// A frame came from this member itself.
    void heard_from(Index from, std::uint64_t incarnation);
    /// Evidence of `member`'s life, `age_ms` old, that `witness` had.
    void evidence(Index member, std::int64_t at_ms, MemberKey witness);
    /// What a frame carries besides its own business.
    void take_claims(Index from, std::span<const Update> updates, std::span<const Heard> heard);
    /// Our own probe of this member failed.
    void accuse(Index member);
    /// Suspicions that ran out.
    void on_time();
    [[nodiscard]] std::int64_t deadline() const { return suspicion_at_; }
    /// We were asleep for this long: everybody gets that much more time.
    void extend_suspicions(std::int64_t by_ms);

    /// Distinct reachable members other than ourselves and `except`, at random.
    [[nodiscard]] std::vector<Index> sample(std::size_t count, std::span<const Index> except = {});
    /// One or more members that are not reachable (and, if asked, never were).
    [[nodiscard]] std::vector<Index> sample_lost(std::size_t count, bool unknown_only);
    /// The partial view: whom we talk to all the time. Two successors on the ring of ids keep the
    /// graph connected, the rest is random and kept while alive.
    [[nodiscard]] const std::vector<Index>& active();

    /// Dresses the frame with site, incarnation, updates and evidence, and sends it.
    void send(Index to, Frame frame);
    [[nodiscard]] bool has_updates() const { return !queue_.empty(); }

    [[nodiscard]] const BucketDigest& digest() const { return digest_; }
    /// Everything known about the members in these buckets; clears the bits of those that do not
    /// fit. Starts at a random bucket.
    [[nodiscard]] std::vector<Update> list(std::uint64_t& mask, std::size_t max);

  private:
    Outbox& out_;
    std::vector<Member> members_;  // sorted by id
    std::unordered_map<MemberKey, Index> by_key_;
    std::optional<Index> self_;
    MemberKey self_key_;
    bool left_ = false;
    std::uint64_t incarnation_;
    std::size_t reachable_ = 0;
    std::size_t unknown_ = 0;
    std::unordered_map<MemberKey, Suspicion> suspicions_;
    std::int64_t suspicion_at_ = never;
    std::deque<MemberKey> queue_;  // whose state is to be piggybacked, most urgent first
    std::vector<Index> active_;
    bool active_stale_ = true;
    std::array<MemberKey, 8> recent_{};  // heard from lately
    std::size_t recent_next_ = 0;
    BucketDigest digest_;

    void merge(const Update& update, MemberKey from);
    void about_self(const Update& update, Index from);
    void suspect(Index i, std::uint64_t incarnation, MemberKey accuser);
    void set(Index i, State state, std::uint64_t incarnation);
    void count(const Member& member, bool in);
    void queue(Member& member);
    void notice(Index i);
    [[nodiscard]] Update update_of(const Member& member);
    void take_queued(std::size_t max, std::vector<Update>& out);
    void fill_heard(std::vector<Heard>& out, std::size_t picks);
    void refresh_active();
};

}  // namespace clarity::mesh
