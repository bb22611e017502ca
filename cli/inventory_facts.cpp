#include "cli/inventory_facts.hpp"

#include "cli/inventory_files.hpp"
#include "cli/view/width.hpp"
#include "protocol/inventory/inventory.hpp"

namespace clarity::cli {
namespace {

/// A text of repositories/config.yml with its references to the global layer looked up.
Result<std::string> resolved(const inventory::Inventory& inventory, const inventory::Text& text,
                             const std::string& repository) {
    inventory::Scope scope;
    const auto& layers = inventory.configuration.layers;
    if (const auto global = layers.find(""); global != layers.end()) {
        scope.layers.push_back(&global->second);
    }
    auto result = inventory::interpolate(text, scope);
    if (!result.problems.empty()) {
        const auto& problem = result.problems.front();
        return fail(Errc::invalid, "{}:{}: {}", problem.place.file, problem.place.line,
                    problem.message);
    }
    if (result.has_secret) {
        return fail(Errc::unavailable,
                    "repository {}: its credentials are secrets, which only the coordinator "
                    "resolves; give the artifact's FILE instead",
                    repository);
    }
    return std::move(result.text);
}

}  // namespace

Result<InventoryFiles> local_files(const std::string& folder) {
    auto files = read_tree(folder);
    // "denied" would read as the coordinator's refusal to whoever looks at the exit code.
    if (!files && files.error().code == Errc::denied) files.error().code = Errc::io;
    if (!files) return files;
    for (const auto& [path, text] : *files) {
        if (is_utf8(text)) continue;
        return fail(Errc::invalid,
                    "{}/{}: not UTF-8 text; binary contents go into config_files as "
                    "base64",
                    folder, path);
    }
    return files;
}

Result<InventoryFiles> files_from(Session& session, const std::string& folder) {
    if (!folder.empty()) return local_files(folder);
    CLARITY_TRY(const auto api, session.api());
    CLARITY_TRY(const auto answer, api.get("/api/v1/inventory"));
    CLARITY_TRY(const auto json, json_get<Json>(answer, "files"));
    InventoryFiles files;
    for (const auto& [path, text] : json.items()) {
        if (text.is_string()) files[path] = text.get<std::string>();
    }
    return files;
}

ArtifactFacts facts_of(const InventoryFiles& files, const std::string& artifact,
                       const std::string& version) {
    const auto loaded = inventory::load(files);
    const auto& known = loaded.inventory;
    ArtifactFacts facts;
    Source source;
    if (const auto at = known.artifacts.find(artifact); at != known.artifacts.end()) {
        facts.type = at->second.type;
        facts.description =
            at->second.description.empty() ? at->second.name : at->second.description;
        facts.dependencies = known.dependencies_of(artifact, version);
        source.repository_id = at->second.repository;
        // The registry's location is of the version that it names.
        if (at->second.version == version) source.path = at->second.location;
    }
    for (const auto& each : known.versions) {
        if (each.artifact != artifact || each.version != version) continue;
        if (!each.repository.empty()) source.repository_id = each.repository;
        if (!each.path.empty()) source.path = each.path;
    }
    if (!source.repository_id.empty() || !source.path.empty()) facts.source = source;
    return facts;
}

Result<RepositoryAccess> access_of(const InventoryFiles& files, const std::string& repository) {
    const auto loaded = inventory::load(files);
    const auto& known = loaded.inventory.repositories;
    const auto at = known.find(repository);
    if (at == known.end()) {
        std::string names;
        for (const auto& [id, each] : known) names += (names.empty() ? "" : ", ") + id;
        return fail(Errc::not_found, "repository \"{}\" is not in repositories/config.yml ({})",
                    repository, names.empty() ? "which has none" : "which has " + names);
    }
    RepositoryAccess access;
    access.id = repository;
    access.type = at->second.type;
    CLARITY_TRY(access.base_url, resolved(loaded.inventory, at->second.base_url, repository));
    for (const auto& [name, text] : at->second.settings) {
        CLARITY_TRY(access.settings[name], resolved(loaded.inventory, text, repository));
    }
    return access;
}

}  // namespace clarity::cli
