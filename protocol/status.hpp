#pragma once

#include <optional>
#include <string>
#include <vector>

#include "protocol/json.hpp"
#include "protocol/plan.hpp"
#include "protocol/record.hpp"

namespace clarity {

/// What whoever answers knows of one server, how old that is, and who saw it.
struct ServerView {
    Member member;
    std::string state = "unknown";  ///< alive | suspect | dead | left | unknown
    std::int64_t age_ms = -1;       ///< since the witness last heard of it; -1 = never
    std::string witness;            ///< hostname of who saw it
    std::optional<Record> record;   ///< last known, whatever its age
    bool newer_format = false;      ///< its record is of a version that whoever answers cannot read
    std::string mesh_endpoint;      ///< where it says that it is; empty = as the roster has it
};

/// A site as one node or the coordinator sees it.
struct SiteView {
    std::string site;
    std::string answered_by;
    std::uint64_t plan_seq = 0;
    Digest plan_digest;
    std::string environment;
    std::int64_t freshness_ms = -1;  ///< since the coordinator was last heard of; -1 = never
    std::vector<ServerView> servers;
};

/// The documented answer of `clarity status -o json`: the same from the coordinator and any node.
[[nodiscard]] Json status_json(const SiteView& view);

}  // namespace clarity
