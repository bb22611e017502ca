#include "node/swarm/torrent.hpp"

#include "protocol/merkle.hpp"
#include "protocol/sha256.hpp"

namespace clarity::swarm {

namespace {

constexpr std::size_t ca_max_bytes = 64U << 10;

Bytes text(std::string_view value) {
    return fmt::format("{}:{}", value.size(), value);
}
Bytes number(std::uint64_t value) {
    return fmt::format("i{}e", value);
}

}  // namespace

Result<TorrentFile> make_torrent(const Manifest& manifest, const std::string& ca_pem) {
    if (ca_pem.empty() || ca_pem.size() > ca_max_bytes) {
        return fail(Errc::invalid, "the site CA has {} bytes; expected a certificate in PEM form",
                    ca_pem.size());
    }
    if (manifest.size_bytes == 0 || manifest.piece_layer.empty()) {
        return fail(Errc::invalid, "{}@{} is empty and cannot be shared", manifest.artifact,
                    manifest.version);
    }
    TorrentFile out;
    out.name = manifest.sha256.hex();
    const Digest root = merkle_file_root(manifest.piece_layer, manifest.piece_size_bytes);
    // Keys of a bencoded dictionary are in byte order.
    const Bytes file = "d" + text("length") + number(manifest.size_bytes) + text("pieces root") +
                       text(root.view()) + "e";
    const Bytes info = "d" + text("file tree") + "d" + text(out.name) + "d" + text("") + file +
                       "ee" + text("meta version") + number(2) + text("name") + text(out.name) +
                       text("piece length") + number(manifest.piece_size_bytes) + text("ssl-cert") +
                       text(ca_pem) + "e";
    out.info_hash = sha256(info);
    // A file of one piece has no layer: its root says it all.
    Bytes layers = "d";
    if (manifest.piece_count() > 1) layers += text(root.view()) + text(manifest.piece_layer);
    layers += "e";
    out.bytes = "d" + text("info") + info + text("piece layers") + layers + "e";
    return out;
}

}  // namespace clarity::swarm
