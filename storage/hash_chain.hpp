#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/bytes.hpp"
#include "storage/kv.hpp"

namespace clarity {

/// One line of a hash-chained log.
struct ChainEntry {
    std::uint64_t index = 0;  ///< from 1, no gaps
    std::int64_t time_unix_ms = 0;
    std::string text;
    Digest digest;  ///< SHA-256 over previous digest, index, time and text
};

/// An append-only log in which each entry's digest covers the one before: a changed, removed or
/// reordered entry is found by verify(), and whoever keeps the last digest elsewhere finds a
/// rewritten or cut log too. For the audit and the deployment journal's evidence.
/// Any thread; appends are durable when they return.
class HashChain {
  public:
    /// The chain under `prefix` ("audit/") of `store`, which must outlive it.
    [[nodiscard]] static Result<std::unique_ptr<HashChain>> open(KeyValueStore& store,
                                                                 std::string prefix);

    [[nodiscard]] Result<ChainEntry> append(std::int64_t now_unix_ms, std::string_view text);
    /// Reads the whole chain; Ok with the number of entries, or bad_signature naming the first
    /// entry that does not fit.
    [[nodiscard]] Result<std::uint64_t> verify() const;
    /// The last `count` entries, oldest first.
    [[nodiscard]] Result<std::vector<ChainEntry>> tail(std::size_t count) const;
    [[nodiscard]] std::uint64_t size() const;
    [[nodiscard]] Digest last_digest() const;

  private:
    HashChain(KeyValueStore& store, std::string prefix)
        : store_(store), prefix_(std::move(prefix)) {}
    [[nodiscard]] Bytes key_of(std::uint64_t index) const;

    KeyValueStore& store_;
    std::string prefix_;
    mutable std::mutex mutex_;
    std::uint64_t index_ = 0;
    Digest digest_;
};

}  // namespace clarity
