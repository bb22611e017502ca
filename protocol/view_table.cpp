#include "protocol/view_table.hpp"

#include <cstring>

#include "protocol/sha256.hpp"

namespace clarity::control {
namespace {

std::uint64_t first_eight(const Digest& digest) {
    std::uint64_t out = 0;
    for (std::size_t i = 0; i < 8; ++i) out = out << 8 | digest.data[i];
    return out;
}

void append(Bytes& out, std::uint64_t value) {
    for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

}  // namespace

std::size_t ViewTable::bucket_of(std::string_view server_id) {
    return first_eight(sha256(server_id)) % buckets_count;
}

void ViewTable::set(const std::string& server_id, const std::string& state, RecordVersion version) {
    Row& row = rows_[server_id];
    if (row.hash == 0) row.bucket = bucket_of(server_id);
    else if (row.state == state && row.version == version) return;
    Bytes text = server_id + '\0' + state + '\0';
    append(text, version.incarnation);
    append(text, version.seq);
    const auto hash = first_eight(sha256(text)) | 1;  // 0 = new
    buckets_[row.bucket] ^= row.hash ^ hash;
    row = {state, version, hash, row.bucket};
}

void ViewTable::erase(const std::string& server_id) {
    const auto at = rows_.find(server_id);
    if (at == rows_.end()) return;
    buckets_[at->second.bucket] ^= at->second.hash;
    rows_.erase(at);
}

void ViewTable::clear_bucket(std::size_t bucket) {
    std::erase_if(rows_, [&](const auto& row) { return row.second.bucket == bucket; });
    buckets_[bucket] = 0;
}

void ViewTable::copy_bucket(const ViewTable& from, std::size_t bucket) {
    clear_bucket(bucket);
    for (const auto& [id, row] : from.rows_) {
        if (row.bucket == bucket) rows_.insert_or_assign(id, row);
    }
    buckets_[bucket] = from.buckets_[bucket];
}

const ViewTable::Row* ViewTable::find(const std::string& server_id) const {
    const auto at = rows_.find(server_id);
    return at == rows_.end() ? nullptr : &at->second;
}

std::uint64_t ViewTable::digest() const {
    Bytes text;
    for (const auto each : buckets_) append(text, each);
    return first_eight(sha256(text));
}

}  // namespace clarity::control
