#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cli/session.hpp"
#include "protocol/plan.hpp"

namespace clarity::cli {

/// Inventory files by path inside the inventory ("clients/acme/servers.yml").
using InventoryFiles = std::map<std::string, std::string>;

/// An inventory in a folder. All of it is UTF-8 text: it travels as JSON.
[[nodiscard]] Result<InventoryFiles> local_files(const std::string& folder);

/// From a folder, or, where `folder` is empty, what the coordinator holds.
[[nodiscard]] Result<InventoryFiles> files_from(Session& session, const std::string& folder);

/// What the inventory says of one artifact version; each may be missing.
struct ArtifactFacts {
    std::optional<ArtifactType> type;
    std::string description;
    std::vector<Dependency> dependencies;
    std::optional<Source> source;
};

[[nodiscard]] ArtifactFacts facts_of(const InventoryFiles& files, const std::string& artifact,
                                     const std::string& version);

/// How to reach a repository of repositories/config.yml. Fails with not_found for an id that is
/// not there, unavailable where its credentials are secrets that only the coordinator resolves.
[[nodiscard]] Result<RepositoryAccess> access_of(const InventoryFiles& files,
                                                 const std::string& repository);

}  // namespace clarity::cli
