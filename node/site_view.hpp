#pragma once

#include <map>
#include <string>

#include "node/identity.hpp"
#include "node/record_book.hpp"
#include "node/trust_store.hpp"
#include "protocol/status.hpp"

namespace clarity {

/// What a node's answer to "status" is made of, and when.
struct SiteViewSources {
    const Identity& identity;
    const TrustStore& trust;
    const mesh::Mesh& mesh;
    const RecordBook& book;
    std::int64_t mesh_now_ms = 0;  ///< the mesh's clock
    std::int64_t now_unix_ms = 0;
};

/// The site as this node sees it: every member of the roster, with age and witness of what is
/// known of it.
[[nodiscard]] SiteView site_view_of(const SiteViewSources& sources);

}  // namespace clarity
