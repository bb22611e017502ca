#pragma once

#include <list>

#include "protocol/mesh/membership.hpp"

namespace clarity::mesh {

class Records;
class Documents;

/// Spreads what is fresh, at once: small record bodies to a few active peers, announcements to the
/// other active peers, then a few repeats to some of them. What slips through is anti-entropy's.
/// A change costs each node a bounded number of frames, and changes close in time share them.
///
/// While news keep coming (a site starting) they are gathered for longer each time, and told to
/// fewer: there, frames are what the start waits for, and anti-entropy repeats more cheaply.
class Dissemination {
  public:
    Dissemination(Outbox& outbox, Membership& members, const Records& records,
                  const Documents& documents);

    /// There are membership updates to piggyback.
    void updates_waiting();
    /// `from` (0 = ourselves) gave us this owner's record: do not send it back there.
    void fresh_record(MemberKey owner, MemberKey from);
    void fresh_document(const Digest& digest, MemberKey from);
    void on_time();
    [[nodiscard]] std::int64_t deadline() const { return std::min(push_at_, repeat_at_); }

  private:
    static constexpr std::int64_t stream_gap_ms = 40;
    /// Something fresh; `owner` names a record, otherwise `digest` a document.
    struct Item {
        MemberKey owner = 0;
        Digest digest;
        MemberKey from = 0;
        std::uint32_t repeats = 0;
    };
    Outbox& out_;
    Membership& members_;
    const Records& records_;
    const Documents& documents_;
    std::vector<Item> fresh_;
    std::list<Item> repeating_;
    std::int64_t push_at_ = never;
    std::int64_t repeat_at_ = never;
    std::int64_t pushed_ms_ = -1;
    std::int64_t gap_ms_ = 0;         // to the next push; doubles while news keep coming
    std::int64_t not_before_ms_ = 0;  // pushed_ms_ + gap_ms_

    void add(Item item);
    void schedule_push();
    void space_out(std::size_t items);
    [[nodiscard]] bool is_stream() const { return gap_ms_ >= stream_gap_ms; }
    void push();
    void repeat();
    void announce(Index to, const std::vector<Item>& items);
    bool push_bodies(Index to, const std::vector<Item>& items);
    void gossip();
};

}  // namespace clarity::mesh
