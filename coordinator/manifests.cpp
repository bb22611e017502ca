#include "coordinator/manifests.hpp"

namespace clarity::coordinator {
namespace {

std::string name_at(const std::string& artifact, const std::string& version) {
    return artifact + "@" + version;
}

}  // namespace

Result<Manifests> Manifests::load(Store& store) {
    Manifests out(store);
    CLARITY_TRY(const auto rows, store.rows(schema::manifest));
    for (const auto& [key, bytes] : rows) {
        CLARITY_TRY(const auto envelope, Envelope::decode(bytes));
        CLARITY_TRY(auto manifest, Manifest::decode(envelope.payload));
        out.take(envelope.digest(), std::move(manifest), bytes.size());
    }
    return out;
}

void Manifests::take(const Digest& digest, Manifest manifest, std::size_t envelope_bytes) {
    by_name_[name_at(manifest.artifact, manifest.version)] = digest;
    ManifestEntry entry{digest, std::move(manifest), 0, envelope_bytes};
    entry.pieces = entry.manifest.piece_count();
    entry.manifest.piece_layer = {};
    entry.manifest.chunks = {};
    if (entry.manifest.stored) entry.manifest.stored->frames = {};
    entries_.insert_or_assign(digest, std::move(entry));
}

Result<Digest> Manifests::add(const Root& root, std::string_view envelope_bytes) {
    CLARITY_TRY(const auto envelope, Envelope::decode(envelope_bytes));
    auto manifest = verify_manifest(root, envelope);
    if (!manifest) return fail_within("manifest", std::move(manifest));
    const Digest digest = envelope.digest();
    const auto name = name_at(manifest->artifact, manifest->version);
    if (const auto at = by_name_.find(name); at != by_name_.end()) {
        if (at->second == digest) return digest;
        return fail(Errc::exists,
                    "{} is registered already with other contents (sha256 {}); give it a new "
                    "version",
                    name, entries_.at(at->second).manifest.sha256.hex());
    }
    CLARITY_CHECK(store_->put(schema::key(schema::manifest, {digest.hex()}), envelope_bytes));
    take(digest, *std::move(manifest), envelope_bytes.size());
    return digest;
}

const ManifestEntry* Manifests::find(const std::string& artifact,
                                     const std::string& version) const {
    const auto at = by_name_.find(name_at(artifact, version));
    return at == by_name_.end() ? nullptr : &entries_.at(at->second);
}

Result<Bytes> Manifests::envelope(const Digest& digest) const {
    CLARITY_TRY(auto bytes, store_->get(schema::key(schema::manifest, {digest.hex()})));
    if (!bytes) return fail(Errc::not_found, "there is no manifest {}", digest.hex());
    return *std::move(bytes);
}

Json manifest_json(const ManifestEntry& entry) {
    Json sources = Json::array();
    for (const auto& source : entry.manifest.sources) {
        sources.push_back(Json{{"repository", source.repository_id}, {"path", source.path}});
    }
    Json out{{"artifact", entry.manifest.artifact},
             {"version", entry.manifest.version},
             {"type", name_of(entry.manifest.type)},
             {"sha256", entry.manifest.sha256.hex()},
             {"size_bytes", entry.manifest.size_bytes},
             {"pieces", entry.pieces},
             {"digest", entry.digest.hex()},
             {"sources", sources},
             {"created_unix_s", entry.manifest.created_unix_s}};
    if (entry.manifest.stored) {
        out["stored"] = entry.manifest.stored->form;
        out["stored_bytes"] = entry.manifest.stored->size_bytes;
    }
    return out;
}

}  // namespace clarity::coordinator
