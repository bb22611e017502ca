#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <unordered_map>

#include "protocol/mesh/frame.hpp"
#include "protocol/mesh/suspicion.hpp"

namespace clarity::mesh {

/// What changes about one member, in 16 bytes: a site of 10,000 has as many of these per node.
struct Row {
    std::uint64_t incarnation : 54 = 0;
    std::uint64_t state_bits : 3 = 0;
    std::uint64_t transmits : 7 = 0;  ///< how often its state is still to be piggybacked
    std::uint64_t heard : 44 = 0;    ///< mesh time of the freshest evidence of life, + 1; 0 = never
    std::uint64_t witness : 20 = 0;  ///< who had it (an Index)

    [[nodiscard]] State state() const { return static_cast<State>(state_bits); }
    [[nodiscard]] std::int64_t heard_ms() const { return static_cast<std::int64_t>(heard) - 1; }
    void set_state(State s) { state_bits = static_cast<std::uint64_t>(s) & 7U; }
    void set_incarnation(std::uint64_t v) { incarnation = v & ((std::uint64_t{1} << 54U) - 1); }
    void set_transmits(unsigned v) { transmits = v & 0x7fU; }
    void set_heard(std::int64_t at_ms, Index by) {
        heard = static_cast<std::uint64_t>(at_ms + 1) & ((std::uint64_t{1} << 44U) - 1);
        witness = by & roll_max;
    }
    void set_witness(Index by) { witness = by & roll_max; }
};
static_assert(sizeof(Row) == 16);

/// Who belongs (roster) and who lives (SWIM): the member table, the rules by which claims about
/// members win over each other, suspicions, our own incarnation, and what is piggybacked on frames.
///
/// Claims are ordered as in SWIM section 4.2: a higher incarnation wins; at equal incarnations
/// left > dead > suspect > alive. What is different: nobody is dead or left because another says
/// so. Such hearsay begins or confirms a suspicion, with the one who says it as the accuser, and
/// each node's own timer ends it. Only a member's own good-bye, on its own connection, counts at
/// once. And hearsay may raise an incarnation only so far at a time (believable()).
class Membership {
  public:
    /// What others do when something changes; set once, before use.
    struct Hooks {
        std::function<void()> changed = [] {};                ///< there are updates to spread
        std::function<void(Index)> returned = [](Index) {};   ///< its own frame made it alive
        std::function<void(Index)> suspected = [](Index) {};  ///< by somebody else
        std::function<void(Index)> ask = [](Index) {};        ///< it should speak for itself
        std::function<void()> refuted = [] {};                ///< we had to say that we live
    };

    Membership(Outbox& outbox, std::uint64_t first_incarnation);
    Hooks hooks;

    void set_members(std::shared_ptr<const Roll> roll);
    /// In the roster, and not leaving: only then are frames sent or taken.
    [[nodiscard]] bool taking_part() const { return self_.has_value() && !left_; }

    [[nodiscard]] const Roll& roll() const { return *roll_; }
    [[nodiscard]] std::shared_ptr<const Roll> share_roll() const { return roll_; }
    [[nodiscard]] std::uint64_t site() const { return site_; }  ///< as frames carry it
    [[nodiscard]] std::size_t size() const { return rows_.size(); }
    [[nodiscard]] const Row& at(Index i) const { return rows_[i]; }
    [[nodiscard]] const std::string& id(Index i) const { return roll_->id(i); }
    [[nodiscard]] MemberKey key(Index i) const { return roll_->key(i); }
    [[nodiscard]] Index self() const { return *self_; }
    [[nodiscard]] MemberKey self_key() const { return self_key_; }
    [[nodiscard]] std::optional<Index> find(std::string_view id) const { return roll_->find(id); }
    [[nodiscard]] std::optional<Index> find_key(MemberKey key) const {
        return roll_->find_key(key);
    }
    /// Alive or suspect: worth talking to.
    [[nodiscard]] bool reachable(Index i) const;
    [[nodiscard]] std::size_t reachable_count() const { return reachable_; }  ///< without self
    [[nodiscard]] std::size_t unknown_count() const { return unknown_; }

    [[nodiscard]] std::int64_t last_frame_ms() const { return last_frame_ms_; }  ///< anybody's

    [[nodiscard]] std::uint64_t incarnation() const { return incarnation_; }
    /// Raises our incarnation to at least `value`, has it stored, and says so to everybody.
    void raise_incarnation(std::uint64_t value);
    void leave();

    /// A frame came from this member itself.
    void heard_from(Index from, std::uint64_t incarnation);
    /// Evidence of `member`'s life at that time, that `witness` had.
    void evidence(Index member, std::int64_t at_ms, Index witness);
    /// What a frame carries besides its own business.
    void take_claims(Index from, const Frame& frame);
    /// Our own probe of this member failed.
    void accuse(Index member);
    /// Suspicions take so many times as long as on a good network.
    void set_patience(double factor);
    /// Suspicions that ran out, refutations that had to wait, neighbours that do not answer.
    void on_time();
    [[nodiscard]] std::int64_t deadline() const;
    /// We were asleep: everybody's time to refute begins anew.
    void restart_suspicions();

    /// Whom we talk to all the time: on each ring the next and the previous member not known to be
    /// dead or gone; beyond one that does not answer, also the one after it.
    [[nodiscard]] const std::vector<Index>& active();
    /// Active peers that are alive or suspect, in random order.
    [[nodiscard]] std::vector<Index> active_reachable();
    /// Up to `count` reachable members for an indirect probe: the target's neighbours first, since
    /// they watch it anyway.
    [[nodiscard]] std::vector<Index> helpers_for(Index target, std::size_t count);
    /// Up to `count` random members that are not reachable (and, if asked, never were).
    [[nodiscard]] std::vector<Index> sample_lost(std::size_t count, bool unknown_only);

    /// Dresses the frame with site, incarnation, updates and evidence, and sends it.
    void send(Index to, Frame frame);
    [[nodiscard]] bool has_updates() const { return !queue_.empty(); }

    [[nodiscard]] const BucketDigest& digest() const { return digest_; }
    /// Everything known about the members in these buckets; clears the bits of those that do not
    /// fit. Starts at a random bucket.
    [[nodiscard]] std::vector<Update> list(std::uint64_t& mask, std::size_t max);

  private:
    /// Accusations of ourselves that wait to be answered.
    struct Refutation {
        std::uint64_t above = 0;
        std::vector<Index> accusers;
        bool accused = false;
        std::int64_t due_ms = never;
        std::int64_t last_ms = -1;
        std::int64_t gap_ms = 0;
    };
    Outbox& out_;
    std::shared_ptr<const Roll> roll_;
    std::vector<Row> rows_;
    std::optional<Index> self_;
    MemberKey self_key_;
    std::uint64_t site_;
    bool left_ = false;
    std::uint64_t incarnation_;
    std::size_t reachable_ = 0;
    std::size_t unknown_ = 0;
    std::unordered_map<MemberKey, Suspicion> suspicions_;
    std::int64_t suspicion_at_ = never;
    double patience_ = 1;
    Refutation refutation_;
    std::unordered_map<MemberKey, std::uint64_t> raised_;  // in this second, and from where
    std::int64_t raised_since_ms_ = 0;
    std::unordered_map<MemberKey, std::uint32_t> accusing_;  // in this second: who, how many
    std::int64_t accusing_since_ms_ = 0;
    std::unordered_map<MemberKey, std::int64_t> noticed_;  // when it was told what is said of it
    std::unordered_map<MemberKey, std::int64_t> silent_;   // neighbours that we wait for, since
    std::unordered_map<MemberKey, bool> other_roll_;       // peers whose roster is another
    std::deque<MemberKey> queue_;  // whose state is to be piggybacked, most urgent first
    std::vector<Index> active_;
    std::vector<MemberKey> newcomers_;  // to it, behind others that do not answer
    bool active_stale_ = true;
    std::int64_t active_due_ = never;
    std::int64_t last_frame_ms_ = 0;
    std::array<MemberKey, 8> recent_{};  // heard from lately
    std::size_t recent_next_ = 0;
    BucketDigest digest_;

    void carry_over(const Roll& old_roll, const std::vector<Row>& old_rows);
    void merge(const Update& update, Index from);
    [[nodiscard]] bool believable(Index i, const Update& update);
    [[nodiscard]] bool within_accusations(Index from);
    void about_self(const Update& update, Index from);
    void refute();
    void expire_suspicions();
    void schedule_suspicions();
    void suspect(Index i, std::uint64_t incarnation, MemberKey accuser, bool leaving, bool tell);
    void set(Index i, State state, std::uint64_t incarnation, bool tell = true);
    void count(Index i, bool in);
    void queue(Index i);
    void notice(Index i);
    [[nodiscard]] Update update_of(Index i);
    void take_queued(std::size_t max, std::vector<Update>& out);
    void fill_heard(std::vector<Heard>& out, std::size_t max);
    void refresh_active();
    void walk(std::size_t ring, bool forward, const std::vector<Index>& before);
};

}  // namespace clarity::mesh
