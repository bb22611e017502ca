#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/inventory/inventory.hpp"
#include "protocol/plan.hpp"
#include "protocol/roster.hpp"

/// From inventory to plan. Pure: same input, same plan but for the sealed bytes.
namespace clarity::planner {

struct KnownManifest {
    Manifest manifest;
    Digest digest;  ///< of its envelope
};

struct PlannerInput {
    const inventory::Inventory& inventory;
    const Roster& roster;
    std::string client{};
    std::string datacenter{};
    Environment environment = Environment::prod;
    std::vector<KnownManifest> manifests{};
    inventory::SecretLookup secret{};
    const Plan* previous = nullptr;
    std::optional<Digest> previous_digest{};
    std::uint64_t seq = 1;
    std::int64_t now_unix_s = 0;
    std::int64_t not_before_unix_s = 0;  ///< in the past or 0 = at once
    std::int64_t accept_for_s = 0;       ///< 0 = for ever
    std::string id{};
    std::string correlation_id{};
    Bytes fingerprint_key{};  ///< 32 bytes
    bool allow_downgrade = false;
};

/// The wanted state of one site. Every enrolled server of the site is in it, also one that is to
/// run nothing. Servers that the roster lacks are left out and told in `warnings`. Errors list all
/// that is wrong, a line each: not_found (site, manifests, secrets), invalid, denied (downgrade).
[[nodiscard]] Result<Plan> make_plan(const PlannerInput& input,
                                     std::vector<std::string>* warnings = nullptr);

/// The repositories as make_plan seals them for one enrolled server; for what is to be fetched
/// ahead of a plan.
[[nodiscard]] Result<Bytes> sealed_repositories(const PlannerInput& input,
                                                const std::string& server_id);

/// Changes exactly when what make_plan seals as repositories does (keyed): the sealed bytes
/// themselves differ each time and are no part of diff_plans.
[[nodiscard]] Result<Digest> repositories_fingerprint(const PlannerInput& input);

/// Changes exactly when what else a plan says does: waves, order, start watch and rollout. These
/// restart nothing, so diff_plans does not show them, but the site must learn of them.
[[nodiscard]] Digest terms_fingerprint(const Plan& plan, std::string_view key);

enum class Action { add, update, remove, restart };
[[nodiscard]] std::string_view name_of(Action action);

struct Change {
    std::string server_id;
    std::string server;  ///< hostname
    std::string service;
    Action action = Action::add;
    std::string from;  ///< version before; empty for add
    std::string to;    ///< version after; empty for remove
    std::string reason;
};

/// What `next` changes over `previous` (null = nothing runs yet); unchanged services are left out.
[[nodiscard]] std::vector<Change> diff_plans(const Plan* previous, const Plan& next,
                                             const std::map<std::string, std::string>& hostnames);

/// What the servers that want an artifact hold complete of any artifact, by server id; manifests
/// with their chunk lists.
using HeldBy = std::map<std::string, std::vector<const Manifest*>>;

/// Bytes that an artifact which no server of the site has will cost of its WAN: those that the
/// fetcher which the site will elect lacks, as its repository stores them. Upper bound where
/// `candidates` is empty or what they hold is not known.
[[nodiscard]] std::uint64_t expected_wan_bytes(const Manifest& wanted, const HeldBy& candidates);

}  // namespace clarity::planner
