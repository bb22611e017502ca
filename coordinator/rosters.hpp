#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "coordinator/store.hpp"
#include "protocol/roster.hpp"

namespace clarity::coordinator {

/// What every roster says besides its members.
struct RosterCommon {
    CoordinatorAddress address;
    std::string ca_pem;
};

/// A signed roster as published.
struct PublishedRoster {
    Roster roster;
    Digest digest;
    Bytes bytes;  ///< the envelope
};

/// The members of each site and the signed rosters that say so. A site's epoch rises with every
/// change, and is stored together with it. Loop thread only.
class Rosters {
  public:
    [[nodiscard]] static Result<Rosters> load(Store& store, const SigningKey& key);
    /// Before anything is published: addresses are known once the ports are bound.
    void set_common(RosterCommon common) { common_ = std::move(common); }
    [[nodiscard]] const RosterCommon& common() const { return common_; }

    /// Adds or replaces a member and publishes the site's next epoch, all in one write with
    /// `also` (the spent token).
    [[nodiscard]] Result<void> put_member(const std::string& site, const Member& member,
                                          std::vector<KeyValue> also);
    /// Takes a member out: revoked. Errors: not_found.
    [[nodiscard]] Result<void> remove_member(const std::string& server_id);
    /// A key that may ask nodes for status; goes into all rosters. False when it is known already.
    [[nodiscard]] Result<bool> add_observer(const PublicKey& key, const std::string& by,
                                            std::int64_t now_unix_s);
    /// What the site's own records say is in force; the next epoch is above it.
    void note_epoch(const std::string& site, std::uint64_t epoch) { epochs_seen_[site] = epoch; }
    /// Publishes anew where the coordinator's address or CA changed since. Returns the sites.
    [[nodiscard]] Result<std::vector<std::string>> refresh();

    [[nodiscard]] const PublishedRoster* find(const std::string& site) const;
    [[nodiscard]] const std::map<std::string, PublishedRoster>& all() const { return sites_; }
    [[nodiscard]] const std::vector<PublicKey>& observers() const { return observers_; }
    /// The site and member of a server id, wherever it is.
    [[nodiscard]] std::optional<std::pair<std::string, Member>> locate(
        const std::string& server_id) const;
    /// The site and member that hold this identity key.
    [[nodiscard]] std::optional<std::pair<std::string, Member>> locate(const PublicKey& key) const;

  private:
    Rosters(Store& store, const SigningKey& key) : store_(&store), key_(&key) {}
    void take(PublishedRoster published);
    [[nodiscard]] Result<void> publish(const std::string& site, std::vector<Member> members,
                                       std::vector<KeyValue> also);

    Store* store_;
    const SigningKey* key_;
    RosterCommon common_;
    std::map<std::string, PublishedRoster> sites_;
    std::map<std::string, std::uint64_t> epochs_seen_;  ///< by site
    std::map<std::string, std::string> site_of_;        ///< by server id
    std::vector<PublicKey> observers_;
};

}  // namespace clarity::coordinator
