#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "protocol/bytes.hpp"

namespace clarity {

/// The argument of a command about a server's artifact cache, as JSON in Command::argument; which
/// one says Command::action. Older agents answer that they do not offer the action.
struct CacheOrder {
    std::string artifact = {};
    std::string version = {};
    Digest sha256 = {};    ///< zero where the order is about the whole cache
    bool dry_run = false;  ///< gc: say what would go

    // prefetch
    Digest manifest = {};  ///< digest of its envelope
    std::vector<std::string> candidates =
        {};                         ///< server ids: who gets it; the election is among them
    Bytes repositories = {};        ///< RepositorySet, sealed to the server; may be empty
    std::int64_t until_unix_s = 0;  ///< kept until then if no plan names it before

    [[nodiscard]] std::string encode() const;
    [[nodiscard]] static Result<CacheOrder> decode(std::string_view text);
};

namespace cache_order {

inline constexpr std::string_view pin = "artifact-pin";
inline constexpr std::string_view unpin = "artifact-unpin";
inline constexpr std::string_view gc = "artifact-gc";
inline constexpr std::string_view prefetch = "artifact-prefetch";
inline constexpr std::string_view verify = "artifact-verify";

/// Is it one of the above?
[[nodiscard]] bool is_action(std::string_view action);

}  // namespace cache_order

/// Owners of pins in the cache: an operator's, those of prefetches.
inline constexpr std::string_view operator_pin = "operator";
inline constexpr std::string_view prefetch_pin = "prefetch";

}  // namespace clarity
