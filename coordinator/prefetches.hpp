#pragma once

#include <map>
#include <string>
#include <vector>

#include "coordinator/store.hpp"
#include "protocol/bytes.hpp"

namespace clarity::coordinator {

/// Manifests that sites were told to fetch before a plan names them: offered to their uplinks like
/// those of the plan. The newest per site are kept. Loop thread only.
class Prefetches {
  public:
    static constexpr std::size_t per_site_max = 32;

    [[nodiscard]] static Result<Prefetches> load(Store& store);
    /// Stored before it returns; the oldest of the site goes when there are too many.
    [[nodiscard]] Result<void> add(const std::string& site, const Digest& manifest,
                                   std::int64_t now_unix_s);
    [[nodiscard]] std::vector<Digest> of(const std::string& site) const;

  private:
    explicit Prefetches(Store& store) : store_(&store) {}
    Store* store_;
    std::map<std::string, std::map<Digest, std::int64_t>> sites_;  ///< with the time of the order
};

}  // namespace clarity::coordinator
