#include "cli/artifact.hpp"
#include "cli/commands.hpp"
#include "cli/session.hpp"
#include "cli/view/units.hpp"
#include "cli/view/yaml_text.hpp"
#include "protocol/http/client.hpp"
#include "protocol/manifest.hpp"

namespace clarity::cli {
namespace {

Json manifest_json(const Manifest& manifest, const Digest& digest) {
    Json sources = Json::array();
    for (const auto& each : manifest.sources) {
        sources.push_back(Json{{"repository", each.repository_id}, {"path", each.path}});
    }
    Json dependencies = Json::array();
    for (const auto& each : manifest.dependencies) {
        dependencies.push_back(each.artifact + "@" + each.version);
    }
    Json out{{"artifact", manifest.artifact},
             {"version", manifest.version},
             {"type", name_of(manifest.type)},
             {"description", manifest.description},
             {"sha256", manifest.sha256.hex()},
             {"size_bytes", manifest.size_bytes},
             {"pieces", manifest.piece_count()},
             {"piece_size_bytes", manifest.piece_size_bytes},
             {"chunks", manifest.chunks.size() / 20},
             {"chunk_average_bytes", manifest.chunk_average_bytes},
             {"sources", std::move(sources)},
             {"dependencies", std::move(dependencies)},
             {"created_at", format_time(manifest.created_unix_s)},
             {"digest", digest.hex()}};
    if (manifest.stored) {
        out["stored"] = manifest.stored->form;
        out["stored_bytes"] = manifest.stored->size_bytes;
    }
    return out;
}

Result<std::string> digest_of(const Api& api, const ArtifactName& name) {
    CLARITY_TRY(const auto answer,
                api.get("/api/v1/manifests?artifact=" + url_encode(name.artifact)));
    const Json& list =
        answer.is_object() && answer.contains("manifests") ? answer.at("manifests") : answer;
    for (const auto& each : list) {
        if (json_or<std::string>(each, "artifact", "") == name.artifact &&
            json_or<std::string>(each, "version", "") == name.version) {
            return json_get<std::string>(each, "digest");
        }
    }
    return fail(Errc::not_found, "{}@{}: not registered; see clarity artifact list", name.artifact,
                name.version);
}

Result<ExitCode> run(Session& session, const Arguments& arguments) {
    CLARITY_TRY(const auto name, parse_artifact_name(arguments.text("NAME@VERSION")));
    CLARITY_TRY(const auto api, session.api());
    CLARITY_TRY(const auto digest, digest_of(api, name));
    CLARITY_TRY(const auto answer, api.get("/api/v1/manifests/" + url_encode(digest)));
    CLARITY_TRY(const auto envelope, envelope_from(answer));
    CLARITY_TRY(const auto root, session.root());
    // Not merely shown: checked as an agent would, so that a bad one is noticed here.
    CLARITY_TRY(const auto manifest, verify_manifest(root, envelope));
    const auto json = manifest_json(manifest, envelope.digest());
    session.emit(json, [&] { return yaml_text(json); });
    return ExitCode::done;
}

}  // namespace

Command artifact_show_command() {
    return {.path = "artifact show",
            .summary = "one artifact version, its signature checked",
            .arguments = {positional("NAME@VERSION", "such as smsgateway@3.2.1")},
            .run = run};
}

}  // namespace clarity::cli
