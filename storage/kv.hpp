#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/bytes.hpp"

namespace clarity {

/// Whether a write must outlive a power cut when the call returns (it always outlives a kill).
enum class Sync { no, yes };

/// Writes that happen all or not at all.
class Batch {
  public:
    struct Write {
        Bytes key;
        std::optional<Bytes> value;  ///< absent = erase
    };

    void put(std::string_view key, std::string_view value) {
        writes_.push_back({Bytes(key), Bytes(value)});
    }
    void erase(std::string_view key) { writes_.push_back({Bytes(key), std::nullopt}); }
    [[nodiscard]] bool empty() const { return writes_.empty(); }
    [[nodiscard]] const std::vector<Write>& writes() const { return writes_; }

  private:
    std::vector<Write> writes_;
};

/// An ordered key-value store that outlives the process. Any thread; calls block on the disk, so
/// synced writes belong on a worker. Keys are bytes in lexicographic order; owners keep apart by
/// prefix ("plan/", "cache/"). Errors: io, no_space, denied.
class KeyValueStore {
  public:
    virtual ~KeyValueStore() = default;

    /// Embedded RocksDB in the folder `path` (made when absent), tuned for a small edge box: a few
    /// MB of memory. One process at a time: a second one gets `conflict` "locked by another
    /// process".
    [[nodiscard]] static Result<std::unique_ptr<KeyValueStore>> open(const std::string& path);

    /// The value, or nothing where the key is absent.
    [[nodiscard]] virtual Result<std::optional<Bytes>> get(std::string_view key) const = 0;
    [[nodiscard]] virtual Result<void> put(std::string_view key, std::string_view value,
                                           Sync sync = Sync::no) = 0;
    /// An absent key is fine.
    [[nodiscard]] virtual Result<void> erase(std::string_view key, Sync sync = Sync::no) = 0;
    [[nodiscard]] virtual Result<void> apply(const Batch& batch, Sync sync = Sync::no) = 0;

    using Visit = std::function<bool(std::string_view key, std::string_view value)>;
    /// Visits the keys that start with `prefix`, in order, from one snapshot, until `visit`
    /// returns false. The views live only during the call.
    [[nodiscard]] virtual Result<void> scan(std::string_view prefix, const Visit& visit) const = 0;
    /// The same from the last key to the first.
    [[nodiscard]] virtual Result<void> scan_back(std::string_view prefix,
                                                 const Visit& visit) const = 0;
};

}  // namespace clarity
