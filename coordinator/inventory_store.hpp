#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "coordinator/store.hpp"
#include "protocol/inventory/inventory.hpp"

namespace clarity::coordinator {

/// An inventory as uploaded and as understood.
struct StoredInventory {
    Digest digest;  ///< of paths and texts
    std::map<std::string, std::string> files;
    inventory::Inventory inventory;
};

/// A server of a site by id or hostname, or null.
[[nodiscard]] const inventory::Server* find_server(const inventory::Inventory& inventory,
                                                   std::string_view site, std::string_view name);

/// Answer to an upload.
struct InventoryOutcome {
    Digest digest;
    std::vector<inventory::Problem> problems;  ///< warnings where `accepted`, else errors too
    bool accepted = false;
    bool unchanged = false;
    std::shared_ptr<const StoredInventory> stored;  ///< where `accepted`
};

/// Inventories by digest, and which one is in force. Every one that was ever in force is kept:
/// rolling back makes a plan from an earlier one. Loop thread only.
class InventoryStore {
  public:
    static constexpr std::size_t files_max = 20'000;
    static constexpr std::size_t file_max_bytes = 4U << 20;
    static constexpr std::size_t total_max_bytes = 16U << 20;

    [[nodiscard]] static Result<InventoryStore> load(Store& store);

    /// Checks the files and, when nothing is wrong with them, puts them in force.
    [[nodiscard]] Result<InventoryOutcome> put(const std::map<std::string, std::string>& files,
                                               const std::string& by, std::int64_t now_unix_s);

    /// In force now, or a conflict that says how to upload one.
    [[nodiscard]] Result<std::shared_ptr<const StoredInventory>> current() const;
    /// One that was in force once.
    [[nodiscard]] Result<std::shared_ptr<const StoredInventory>> find(const Digest& digest) const;
    /// [{digest, at, by}], oldest first.
    [[nodiscard]] Result<Json> history() const;

  private:
    explicit InventoryStore(Store& store) : store_(&store) {}

    Store* store_;
    std::shared_ptr<const StoredInventory> current_;
    std::uint64_t uploads_ = 0;
};

}  // namespace clarity::coordinator
