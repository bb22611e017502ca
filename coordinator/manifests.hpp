#pragma once

#include <map>
#include <string>
#include <vector>

#include "coordinator/store.hpp"
#include "protocol/manifest.hpp"

namespace clarity::coordinator {

/// A registered manifest without its hashes: those stay in the store, they may be megabytes.
struct ManifestEntry {
    Digest digest;      ///< of the envelope
    Manifest manifest;  ///< piece_layer, chunks and stored->frames are empty
    std::size_t pieces = 0;
    std::size_t envelope_bytes = 0;
};

/// Manifests that the artifact role has signed. One name@version has one manifest for ever. Loop
/// thread only.
class Manifests {
  public:
    [[nodiscard]] static Result<Manifests> load(Store& store);

    /// Checks the signature and registers it. The same again is fine; the same name@version with
    /// other contents fails with `exists`.
    [[nodiscard]] Result<Digest> add(const Root& root, std::string_view envelope_bytes);

    [[nodiscard]] const std::map<Digest, ManifestEntry>& all() const { return entries_; }
    [[nodiscard]] const ManifestEntry* find(const std::string& artifact,
                                            const std::string& version) const;
    /// The envelope's bytes as they came.
    [[nodiscard]] Result<Bytes> envelope(const Digest& digest) const;

  private:
    explicit Manifests(Store& store) : store_(&store) {}
    void take(const Digest& digest, Manifest manifest, std::size_t envelope_bytes);

    Store* store_;
    std::map<Digest, ManifestEntry> entries_;
    std::map<std::string, Digest> by_name_;  ///< "artifact@version"
};

[[nodiscard]] Json manifest_json(const ManifestEntry& entry);

}  // namespace clarity::coordinator
