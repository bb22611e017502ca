#include "protocol/manifest.hpp"

#include <bit>

#include "protocol/codec.hpp"
#include "protocol/delta.hpp"
#include "protocol/manifest_names.hpp"

namespace clarity {

std::string_view name_of(ArtifactType type) {
    return codec::enum_name(type);
}
std::optional<ArtifactType> artifact_type_from(std::string_view name) {
    return codec::enum_from<ArtifactType>(name);
}

template <class A>
void fields(A& a, Source& s) {
    a.text("repository", s.repository_id);
    a.text("path", s.path);
}

template <class A>
void fields(A& a, Dependency& d) {
    a.text("artifact", d.artifact);
    a.text("version", d.version);
}

template <class A>
void fields(A& a, StoredForm& s) {
    a.text("form", s.form);
    a.value("size", s.size_bytes);
    a.bin("frames", s.frames);
}

template <class A>
void fields(A& a, Manifest& m) {
    a.text("artifact", m.artifact);
    a.text("version", m.version);
    a.value("type", m.type);
    a.optional("description", m.description);
    a.value("sha256", m.sha256);
    a.value("size", m.size_bytes);
    a.value("piece_size", m.piece_size_bytes);
    a.bin("pieces", m.piece_layer);
    a.optional("chunk_average", m.chunk_average_bytes);
    a.optional_bin("chunks", m.chunks);
    a.value("sources", m.sources);
    a.value("dependencies", m.dependencies);
    a.optional("created", m.created_unix_s);
    a.optional("stored", m.stored);
}

Digest Manifest::piece_hash(std::size_t piece) const {
    return *Digest::from(std::string_view(piece_layer).substr(piece * 32, 32));
}

std::uint32_t Manifest::piece_length(std::size_t piece) const {
    const std::uint64_t begin = static_cast<std::uint64_t>(piece) * piece_size_bytes;
    return static_cast<std::uint32_t>(
        std::min<std::uint64_t>(piece_size_bytes, size_bytes - begin));
}

Bytes Manifest::encode() const {
    return codec::encode(*this);
}

Result<Manifest> Manifest::decode(std::string_view payload) {
    CLARITY_TRY(auto out, codec::decode<Manifest>("manifest", payload));
    if (out.artifact.empty() || out.artifact.size() > 128 || out.version.empty() ||
        out.version.size() > 128) {
        return fail(Errc::invalid, "manifest has no usable artifact name or version");
    }
    constexpr std::uint32_t piece_min = 16U << 10;
    constexpr std::uint32_t piece_max = 64U << 20;
    if (out.size_bytes == 0 || out.piece_size_bytes < piece_min ||
        out.piece_size_bytes > piece_max || !std::has_single_bit(out.piece_size_bytes)) {
        return fail(Errc::invalid, "manifest {}: size {} or piece size {} is out of range",
                    out.artifact, out.size_bytes, out.piece_size_bytes);
    }
    const std::uint64_t pieces =
        out.size_bytes / out.piece_size_bytes + (out.size_bytes % out.piece_size_bytes != 0);
    if (out.piece_layer.size() % 32 != 0 || pieces != out.piece_count()) {
        return fail(Errc::invalid, "manifest {}: {} piece hashes for {} pieces", out.artifact,
                    out.piece_count(), pieces);
    }
    if (out.chunks.size() % 20 != 0) {
        return fail(Errc::invalid, "manifest {}: chunk list is cut", out.artifact);
    }
    if (out.sources.empty()) {
        return fail(Errc::invalid, "manifest {}: no source to fetch from", out.artifact);
    }
    // Another form may be a later one: who does not know it cannot fetch, but can pass it on.
    if (out.stored && out.stored->form == delta::zstd_form) CLARITY_CHECK(delta::layout_of(out));
    return out;
}

Result<Manifest> verify_manifest(const Root& root, const Envelope& envelope) {
    CLARITY_CHECK(envelope.verify(payload_type::manifest, *root.find(role::artifact)));
    return Manifest::decode(envelope.payload);
}

}  // namespace clarity
