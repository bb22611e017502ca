#pragma once

#include <map>
#include <string>
#include <vector>

#include "node/address_book.hpp"
#include "node/swarm/swarm.hpp"
#include "node/uplink_rank.hpp"
#include "protocol/control.hpp"
#include "protocol/mesh/mesh.hpp"
#include "protocol/rollout.hpp"

namespace clarity {

/// The site as this node's mesh has it at one moment: what decisions here are made from. Pure.
struct SiteSnapshot {
    const Roster* roster = nullptr;
    std::string self;
    std::int64_t now_ms = 0;  ///< mesh time
    std::vector<mesh::MemberView> members;
    const std::map<std::string, Record>* records = nullptr;  ///< decoded, by server id
    const AddressBook* addresses = nullptr;                  ///< none = the roster's alone
};

/// For the coordinator, without the records themselves.
[[nodiscard]] std::vector<control::View> report_views(const SiteSnapshot& site);
/// For the swarm's election.
[[nodiscard]] SiteClaims site_claims(const SiteSnapshot& site);
/// For the rollout's gates.
[[nodiscard]] std::map<std::string, RecordSummary> record_summaries(const SiteSnapshot& site);
/// For the uplinks' ranking.
[[nodiscard]] std::vector<UplinkCandidate> uplink_candidates(const SiteSnapshot& site);

}  // namespace clarity
