#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "protocol/status.hpp"

namespace clarity::coordinator {

/// What an uplink says of one server, as it came over the wire.
struct SightedServer {
    std::string server_id;
    std::string state;  ///< alive | suspect | dead | left | unknown
    std::int64_t age_ms = -1;
    std::string witness;  ///< server id of who heard of it last
    Bytes record;         ///< envelope; empty when unchanged since the uplink's last report
};

/// What the uplinks' reports add up to, per site: the newest record of each server, its state, how
/// old that is and who saw it. Pure: time is an argument (any monotonic or wall clock, in ms, but
/// always the same one). Nothing is believed without its owner's signature.
class SiteState {
  public:
    /// After this long without a report from a site, its servers' states are "unknown".
    static constexpr std::int64_t silence_ms = 35'000;

    struct Outcome {
        std::size_t records = 0;  ///< taken
        std::size_t refused = 0;  ///< bad signature, too big, not a member
    };
    /// Takes a report by member `from` of the roster's site.
    Outcome report(std::int64_t now_ms, const Roster& roster, const std::string& from,
                   const std::vector<SightedServer>& servers);

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
    struct Seen {
        PublicKey key;  ///< the member's when this was learnt: another key is another machine
        std::string state = "unknown";
        std::int64_t heard_ms = -1;     ///< by the witness; -1 = never
        std::int64_t reported_ms = -1;  ///< when we were told
        std::string witness;
        std::optional<Record> record;
    };
    struct Site {
        std::map<std::string, Seen> servers;
        std::int64_t reported_ms = -1;
    };
    std::map<std::string, Site> sites_;
};

}  // namespace clarity::coordinator
