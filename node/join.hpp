#pragma once

#include "node/config.hpp"
#include "node/identity.hpp"
#include "node/trust_store.hpp"

namespace clarity {

/// An enrolled server with what it believes.
struct Joined {
    Identity identity;
    TrustStore trust;
};

/// The stored identity and documents; where there are none yet, enrols first with the configured
/// token, trying again while the coordinator is away (backoff with jitter, up to `tries`; 0 = for
/// ever). Blocks; for the time before the loop runs.
[[nodiscard]] Result<Joined> join_site(const AgentConfig& config, KeyValueStore& store,
                                       std::uint32_t tries);

}  // namespace clarity
