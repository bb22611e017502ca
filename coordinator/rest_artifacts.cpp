#include "coordinator/rest_api.hpp"

namespace clarity::coordinator {
namespace {

Answer add_manifest(Api& api, Call& call) {
    CLARITY_TRY(const Root* root, api.core.trust.current());
    CLARITY_TRY(const auto bytes, envelope_of(call.body));
    CLARITY_TRY(const auto digest, api.core.manifests.add(*root, bytes));
    const auto& manifest = api.core.manifests.all().at(digest).manifest;
    api.audit(call, "manifest.add", manifest.artifact + "@" + manifest.version,
              manifest.sha256.hex());
    return json_answer(Json{{"digest", digest.hex()}});
}

Answer list_manifests(Api& api, Call& call) {
    const auto wanted = call.query("artifact");
    Json out = Json::array();
    for (const auto& [digest, entry] : api.core.manifests.all()) {
        if (wanted.empty() || entry.manifest.artifact == wanted) {
            out.push_back(manifest_json(entry));
        }
    }
    return json_answer(out);
}

}  // namespace

void Api::add_artifact_routes(Router& router) {
    router.add("POST", "/api/v1/manifests", Access::admin,
               [this](Call& call) { return add_manifest(*this, call); });
    router.add("GET", "/api/v1/manifests", Access::admin,
               [this](Call& call) { return list_manifests(*this, call); });
    router.add("GET", "/api/v1/manifests/{digest}", Access::admin, [this](Call& call) -> Answer {
        CLARITY_TRY(const auto digest, Digest::from_hex(call.param("digest")));
        CLARITY_TRY(const auto bytes, core.manifests.envelope(digest));
        return json_answer(envelope_json(bytes));
    });
}

}  // namespace clarity::coordinator
