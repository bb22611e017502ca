#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "protocol/record.hpp"

namespace clarity::control {

/// One node's view of its site, as both ends of the control connection compare it: the state of
/// each server and the version of its record. Digests are kept in buckets of the server id's hash
/// (XOR of the rows' hashes, O(1) a change), so that two tables are compared by 32 numbers.
class ViewTable {
  public:
    static constexpr std::size_t buckets_count = 32;
    using Buckets = std::array<std::uint64_t, buckets_count>;

    struct Row {
        std::string state;
        RecordVersion version;
        std::uint64_t hash = 0;
        std::size_t bucket = 0;
    };

    [[nodiscard]] static std::size_t bucket_of(std::string_view server_id);

    /// Puts a row; does nothing when it is there already.
    void set(const std::string& server_id, const std::string& state, RecordVersion version);
    void erase(const std::string& server_id);
    void clear_bucket(std::size_t bucket);
    /// Takes over the rows of one bucket.
    void copy_bucket(const ViewTable& from, std::size_t bucket);

    [[nodiscard]] const Row* find(const std::string& server_id) const;
    [[nodiscard]] const std::map<std::string, Row>& rows() const { return rows_; }
    [[nodiscard]] const Buckets& buckets() const { return buckets_; }
    /// Of the whole table.
    [[nodiscard]] std::uint64_t digest() const;

  private:
    std::map<std::string, Row> rows_;
    Buckets buckets_{};
};

}  // namespace clarity::control
