#pragma once

#include <string>
#include <vector>

#include "coordinator/store.hpp"
#include "protocol/control.hpp"

namespace clarity::coordinator {

struct Core;

/// The signed documents that a site's uplinks are offered: every root version, the roster, the
/// newest plan with its manifests, and those to fetch ahead of a plan; and the beacon beside them.
/// Loop thread only.
class SiteDocuments {
  public:
    explicit SiteDocuments(Core& core) : core_(core) {}

    /// Signs a fresh beacon: what tells a site how fresh its knowledge is. Empty without a root.
    [[nodiscard]] Bytes beacon(const std::string& site, std::int64_t now_unix_ms) const;
    [[nodiscard]] std::vector<control::Ad> ads(const std::string& site);
    /// A document of this site by digest; not_found for anything else, another site's included.
    [[nodiscard]] Result<Bytes> document(const std::string& site, const Digest& digest);

  private:
    struct Document {
        control::Ad ad;
        Bytes bytes;  ///< empty for a manifest: read when asked for
    };
    [[nodiscard]] std::vector<Document> all(const std::string& site);
    void add_manifests(const std::vector<Digest>& digests, std::vector<Document>& out);
    void add_plan(const std::string& site, std::vector<Document>& out);

    Core& core_;
};

}  // namespace clarity::coordinator
