#pragma once

#include <bitset>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "protocol/control.hpp"
#include "protocol/mesh/mesh.hpp"
#include "protocol/view_table.hpp"

namespace clarity {

struct ReportTimes {
    std::int64_t change_ms = 250;        ///< between two reports of changes
    std::int64_t primary_ms = 60'000;    ///< without changes, to say how fresh all is
    std::int64_t standby_ms = 120'000;   ///< the same for who is not the primary uplink
    std::int64_t answer_ms = 5'000;      ///< without an acknowledgement the link is suspect
    std::int64_t fresh_max_ms = 30'000;  ///< older evidence is not vouched for, where few have it
};

/// The reports of one connection to one coordinator: what to say next, as a delta of what that
/// coordinator is known to have.
///
/// Rationale: a change is sent once and not again; the digest in each report shows the loss of any.
/// A new connection starts with the digest alone, since the coordinator may have all of it from
/// before, or from the other uplink; what differs is then exchanged by buckets. Records go up when
/// they change, or when the coordinator asks for them by name. One report is under way at a time,
/// so that a slow line is never flooded. Pure: time is an argument.
class ReportStream {
  public:
    explicit ReportStream(ReportTimes times) : times_(times) {}

    /// A new connection: nothing is known of the other end.
    void restart();
    /// The primary tells every change. A new one begins with its digest.
    void set_primary(bool primary);
    [[nodiscard]] bool is_primary() const { return primary_; }
    /// The site has changed. / The coordinator asks.
    void changed() { dirty_ = true; }
    void asked() { asked_ = true; }

    /// When next() has something to say; changes included. Never before an outstanding
    /// acknowledgement is there.
    [[nodiscard]] std::int64_t due_ms() const;
    [[nodiscard]] bool waits_for_ack() const { return awaited_ != 0; }

    /// The signed record of a server; nullptr when there is none.
    using Records = std::function<mesh::RecordPtr(const std::string& server_id)>;

    /// The next report, if it is due. `views` of all servers, without versions and records.
    [[nodiscard]] std::optional<control::Report> next(std::int64_t now_ms,
                                                      const std::vector<control::View>& views,
                                                      const Records& records);
    /// False when it answers nothing that was sent.
    bool acknowledged(std::int64_t now_ms, const control::Ack& ack);

  private:
    class Draft;

    ReportTimes times_;
    bool primary_ = false;
    bool dirty_ = false;
    bool asked_ = false;
    bool more_ = true;  ///< go on at once: first report, differing buckets, records asked for
    std::uint64_t seq_ = 0;
    std::uint64_t awaited_ = 0;
    std::int64_t reported_ms_ = -1;
    std::int64_t ack_at_ms_ = 0;    ///< the coordinator's clock in the last Ack
    std::int64_t ack_seen_ms_ = 0;  ///< ours when it came

    control::ViewTable now_;   ///< our view
    control::ViewTable sent_;  ///< our view when the report under way was made
    control::ViewTable base_;  ///< what the coordinator has of us, in the valid buckets
    std::bitset<control::ViewTable::buckets_count> valid_;
    std::bitset<control::ViewTable::buckets_count> differ_;  ///< to be sent as a whole
    std::set<std::string> wanted_;                           ///< records asked for

    void look(const std::vector<control::View>& views, const Records& records);
    void add_buckets(Draft& draft);
    void add_changes(Draft& draft);
    void add_wanted(Draft& draft);
    void add_freshness(control::Report& report, const std::vector<control::View>& views) const;
};

}  // namespace clarity
