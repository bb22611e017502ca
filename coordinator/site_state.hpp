#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "protocol/control.hpp"
#include "protocol/status.hpp"
#include "protocol/view_table.hpp"

namespace clarity::coordinator {

/// What the uplinks' reports add up to, per site: the newest record of each server, its state, how
/// old that is and who saw it. Pure: time is an argument (unix milliseconds). Nothing is believed
/// without its owner's signature.
///
/// Rationale: each reporter's view is kept apart, as the base of its deltas and as what it said
/// when; status takes for each server the word with the freshest evidence. A report that agrees
/// with the base renews all of it: evidence of the alive is then at most as old as the report says,
/// that of others stays what it was. So a fact is never shown fresher than it is.
class SiteState {
  public:
    /// After this long without a report from a site, its servers' states are "unknown": the primary
    /// uplink reports once a minute when nothing changes, and another takes over within 15 s.
    static constexpr std::int64_t silence_ms = 95'000;
    /// The same for a site that was asked and did not answer.
    static constexpr std::int64_t answer_ms = 10'000;

    struct Outcome {
        std::size_t records = 0;  ///< taken
        std::size_t refused = 0;  ///< bad signature, too big, no state, not a member
        bool agreed = false;      ///< the reporter's view is known in full
        control::Ack ack;         ///< its seq, time, buckets and wanted
    };
    /// Takes a report by member `from` of the roster's site.
    Outcome report(std::int64_t now_ms, const Roster& roster, const std::string& from,
                   const control::Report& report);
    /// An Ask went to the site's uplinks.
    void asked(std::int64_t now_ms, const std::string& site);

    /// The newest record known, or null.
    [[nodiscard]] const Record* record(const std::string& site, const std::string& server) const;
    /// The highest plan and roster epoch that the site's own records name: above the coordinator's
    /// after an older backup of it was restored.
    struct Numbers {
        std::uint64_t plan_seq = 0;
        std::uint64_t roster_epoch = 0;
    };
    [[nodiscard]] Numbers highest(const std::string& site) const;
    /// Every member of the roster, with what is known of it.
    [[nodiscard]] std::vector<ServerView> servers(std::int64_t now_ms, const Roster& roster) const;
    /// Since any uplink of the site reported; -1 = never.
    [[nodiscard]] std::int64_t silence_of(std::int64_t now_ms, const std::string& site) const;
    /// Forgets servers that are not in the roster any more, or have another key there.
    void keep_members(const Roster& roster);

  private:
    /// What one reporter says of one server.
    struct Sight {
        std::string state = "unknown";
        std::int64_t heard_ms = -1;  ///< by the witness; -1 = never
        std::int64_t said_ms = -1;
        std::string witness;
    };
    struct Reporter {
        control::ViewTable table;  ///< base of its deltas; may name servers we do not know
        std::map<std::string, Sight> sights;
        std::map<std::string, RecordVersion> refused;  ///< records of its that were no good
        std::int64_t agreed_ms = -1;                   ///< when `table` last was all of its view
        std::int64_t said_ms = -1;
    };
    struct Seen {
        PublicKey key;  ///< the member's when this was learnt: another key is another machine
        std::optional<Record> record;
        RecordVersion version;      ///< of the newest record, readable here or not
        bool newer_format = false;  ///< it is not
        std::string mesh_endpoint;  ///< where it says that it is
        RecordVersion wanted;       ///< asked for
        std::int64_t wanted_ms = -1;
    };
    struct Site {
        std::map<std::string, Seen> servers;
        std::map<std::string, Reporter> reporters;
        std::int64_t reported_ms = -1;
        std::int64_t asked_ms = -1;  ///< and not answered since; -1 = nothing
    };
    std::map<std::string, Site> sites_;

    static Reporter& reporter(Site& site, const std::string& from);
    static Seen& server(Site& site, const Member& member);
    static void take_view(Site& site, Reporter& by, const Roster& roster, const control::View& view,
                          const std::string& from, std::int64_t at_ms, Outcome& out);
    static void take_record(Site& site, Reporter& by, const Roster& roster, const Member& member,
                            const control::View& view, Outcome& out);
    static void compare(Site& site, Reporter& by, const control::Report& report, Outcome& out);
    static void renew(Site& site, Reporter& by, const Roster& roster, const std::string& from,
                      const control::Report& report, std::int64_t at_ms);
    static void want(Site& site, const Reporter& by, const Roster& roster, std::int64_t now_ms,
                     control::Ack& ack);
    [[nodiscard]] static const Sight* best_sight(const Site& site, const std::string& server);
    [[nodiscard]] static bool is_silent(const Site& site, std::int64_t now_ms);
};

}  // namespace clarity::coordinator
