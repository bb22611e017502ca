#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/json.hpp"
#include "storage/kv.hpp"

namespace clarity::coordinator {

/// The schema: every key that the coordinator keeps, in one place. Numbers are 8 bytes big-endian,
/// so that a scan gives them in order; digests and keys are hex text. Sites hold one '/'; parts of
/// a key are parted by NUL, which none of them may hold.
namespace schema {

[[nodiscard]] std::string key(std::string_view table,
                              std::initializer_list<std::string_view> parts);
[[nodiscard]] std::string number(std::uint64_t value);
[[nodiscard]] std::uint64_t number_from(std::string_view bytes);

inline constexpr std::string_view root = "root";                   ///< version → envelope
inline constexpr std::string_view inventory_files = "inv-files";   ///< digest → JSON {path: text}
inline constexpr std::string_view inventory_history = "inv-hist";  ///< n → JSON {digest, at, by}
inline constexpr std::string_view manifest = "manifest";           ///< digest → envelope
inline constexpr std::string_view token = "token";                 ///< id → JSON, secret hashed
inline constexpr std::string_view observer = "observer";           ///< public key → JSON {at, by}
inline constexpr std::string_view roster = "roster";               ///< site → envelope, newest
inline constexpr std::string_view secret = "secret";               ///< client, name → encrypted
inline constexpr std::string_view plan = "plan";                   ///< site, seq → envelope
inline constexpr std::string_view deployment = "deployment";       ///< id → JSON
inline constexpr std::string_view prefetch = "prefetch";           ///< site, manifest → JSON

}  // namespace schema

using KeyValue = std::pair<std::string, Bytes>;

/// The coordinator's state: documents and JSON rows over the ordered key-value store. Every write
/// is synced before it returns. Any thread.
class Store {
  public:
    /// `path` is a folder; a store held by another process is a clear error.
    [[nodiscard]] static Result<std::unique_ptr<Store>> open(const std::string& path);

    [[nodiscard]] Result<std::optional<Bytes>> get(std::string_view key) const;
    [[nodiscard]] Result<void> put(std::string_view key, std::string_view value);
    [[nodiscard]] Result<void> erase(std::string_view key);
    /// All or nothing.
    [[nodiscard]] Result<void> put_all(const std::vector<KeyValue>& rows);

    [[nodiscard]] Result<std::optional<Json>> get_json(std::string_view key) const;
    [[nodiscard]] Result<void> put_json(std::string_view key, const Json& value);

    /// Rows of a table (its key parts after `prefix` in first), in key order.
    [[nodiscard]] Result<std::vector<KeyValue>> rows(
        std::string_view table, std::initializer_list<std::string_view> parts = {}) const;

    [[nodiscard]] KeyValueStore& kv() { return *kv_; }

  private:
    explicit Store(std::unique_ptr<KeyValueStore> kv) : kv_(std::move(kv)) {}
    std::unique_ptr<KeyValueStore> kv_;
};

}  // namespace clarity::coordinator
