#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "protocol/record.hpp"
#include "protocol/roster.hpp"

namespace clarity {

/// Where the site's members are: by the roster, by their own records (newest wins), by LAN beacons,
/// and by experience. Only an owner's signed word gets in, so that a known identity may move (DHCP,
/// another port) without a new roster. Pure. Owner: the mesh driver, on its loop.
///
/// Rationale: no address is ever believed to prove who is there (CURVE does), so a wrong one costs
/// a failed dial and no more; that is why all known ones are tried, the likeliest first.
class AddressBook {
  public:
    /// Who is gone, or has another key, is forgotten.
    void set_roster(const Roster& roster);
    /// From the owner's verified record; an older version than one seen changes nothing. True when
    /// there is an address that was not known.
    bool learn(const std::string& server_id, RecordVersion version, const Endpoints& endpoints);
    /// From the owner's verified LAN beacon: where it is right now.
    bool heard(const std::string& server_id, const Endpoints& endpoints);
    /// A connection to it came up there: tried first from now on, until it says that it moved.
    void answered(const std::string& server_id, const std::string& mesh_endpoint);

    /// To be tried in this order, each once; empty for who is not in the roster.
    [[nodiscard]] std::vector<std::string> mesh(const std::string& server_id) const;
    [[nodiscard]] std::vector<std::string> swarm(const std::string& server_id) const;

    /// Rises with everything that encode() would tell differently.
    [[nodiscard]] std::uint64_t changes() const { return changes_; }
    /// What was learnt beside the roster, for the disk.
    [[nodiscard]] Bytes encode() const;
    /// Takes over what encode() gave, for the roster that was set: call it after set_roster().
    [[nodiscard]] Result<void> load(std::string_view bytes);

  private:
    struct Entry {
        PublicKey key;
        Endpoints roster;
        Endpoints record;
        RecordVersion version;
        Endpoints beacon;
        std::string answered;
    };
    std::map<std::string, Entry> entries_;
    std::uint64_t changes_ = 0;
};

}  // namespace clarity
