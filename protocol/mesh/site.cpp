#include "protocol/mesh/site.hpp"

#include "protocol/sha256.hpp"

namespace clarity::mesh {

std::uint64_t site_hash(std::string_view site) {
    const auto digest = sha256(site);
    std::uint64_t out = 0;
    for (std::size_t i = 0; i < 8; ++i) out = out << 8U | digest.data[i];
    return out;
}

}  // namespace clarity::mesh
