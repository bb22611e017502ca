#pragma once

#include <map>
#include <string>

#include "protocol/envelope.hpp"

namespace clarity {

/// Role names in a root document.
namespace role {
inline constexpr const char* root = "root";                ///< signs the next root; offline
inline constexpr const char* coordinator = "coordinator";  ///< rosters, plans, beacons, commands
inline constexpr const char* artifact = "artifact";        ///< manifests; the publisher's, offline
inline constexpr const char* approver = "approver";        ///< second signature on plans
}  // namespace role

/// The head of trust: every role's keys and threshold. Version N+1 is signed by the thresholds of
/// N and of N+1; all versions are kept. Source: The Update Framework, section 5.3.
struct Root {
    std::uint64_t version = 1;
    std::int64_t expires_unix_s = 0;  ///< no new root or plan is accepted after it; 0 = never
    std::map<std::string, Role> roles;

    [[nodiscard]] const Role* find(std::string_view name) const;
    [[nodiscard]] Bytes encode() const;
    [[nodiscard]] static Result<Root> decode(std::string_view payload);
};

/// Checks a first root against itself (its digest must be pinned by whoever calls).
[[nodiscard]] Result<Root> verify_first_root(const Envelope& envelope);
/// Checks that `next` follows `current`.
[[nodiscard]] Result<Root> verify_next_root(const Root& current, const Envelope& next);

}  // namespace clarity
