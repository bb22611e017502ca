#pragma once

#include <string>

#include "protocol/manifest.hpp"

namespace clarity::swarm {

/// An artifact as a BitTorrent v2 torrent (BEP 52) over TLS.
struct TorrentFile {
    std::string name;  ///< SHA-256 of the artifact in hex: also the file's name on disk
    Digest info_hash;  ///< SHA-256 of the info dictionary
    Bytes bytes;       ///< the .torrent, bencoded, piece layers included
};

/// Pure and deterministic: the same manifest and CA give the same bytes on every node, so that all
/// meet under one infohash without anybody passing a torrent around. The piece layers come from the
/// signed manifest, so no hash is ever asked of a peer. The CA is in the info dictionary
/// ("ssl-cert"): only peers with a certificate from it are talked to.
[[nodiscard]] Result<TorrentFile> make_torrent(const Manifest& manifest, const std::string& ca_pem);

}  // namespace clarity::swarm
