#pragma once

#include <string>
#include <vector>

#include "coordinator/store.hpp"

namespace clarity::coordinator {

/// The embedded vault: `${SECRET:name}` values, encrypted at rest under a key in the state folder.
/// Values leave it only through resolve(), for the planner, which seals them to one server. They
/// are never listed, logged or put into an error. Loop thread only.
class Vault {
  public:
    Vault(Store& store, Bytes key) : store_(&store), key_(std::move(key)) {}

    [[nodiscard]] Result<void> put(const std::string& client, const std::string& name,
                                   std::string_view value);
    /// not_found names the secret and how to set it.
    [[nodiscard]] Result<std::string> resolve(const std::string& client,
                                              const std::string& name) const;
    /// Names only, sorted.
    [[nodiscard]] Result<std::vector<std::string>> names(const std::string& client) const;

  private:
    Store* store_;
    Bytes key_;
};

/// A name of a secret, client or datacenter: 1 to 128 of letters, digits, '.', '_', '-'.
[[nodiscard]] bool is_name(std::string_view text);

}  // namespace clarity::coordinator
