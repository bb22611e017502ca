#include "storage/hash_chain.hpp"

#include "protocol/sha256.hpp"

namespace clarity {

namespace {

Bytes big_endian(std::uint64_t value) {
    Bytes out(8, '\0');
    for (int i = 7; i >= 0; --i, value >>= 8U) {
        out[static_cast<std::size_t>(i)] = static_cast<char>(value & 0xffU);
    }
    return out;
}

std::uint64_t from_big_endian(std::string_view bytes) {
    std::uint64_t value = 0;
    for (const char c : bytes.substr(0, 8)) value = value << 8U | static_cast<unsigned char>(c);
    return value;
}

/// Stored as digest, time, text; the index is the key.
constexpr std::size_t head_bytes = Digest::size_bytes + 8;

Bytes encode(const ChainEntry& entry) {
    return entry.digest.bytes() + big_endian(static_cast<std::uint64_t>(entry.time_unix_ms)) +
           entry.text;
}

Result<ChainEntry> decode(std::uint64_t index, std::string_view value) {
    if (value.size() < head_bytes) {
        return fail(Errc::bad_signature, "log entry {} is cut short", index);
    }
    ChainEntry out;
    out.index = index;
    out.digest = *Digest::from(value.substr(0, Digest::size_bytes));
    out.time_unix_ms =
        static_cast<std::int64_t>(from_big_endian(value.substr(Digest::size_bytes, 8)));
    out.text = value.substr(head_bytes);
    return out;
}

Digest digest_of(const Digest& previous, const ChainEntry& entry) {
    Sha256 hash;
    hash.update(previous.view());
    hash.update(big_endian(entry.index));
    hash.update(big_endian(static_cast<std::uint64_t>(entry.time_unix_ms)));
    hash.update(entry.text);
    return hash.finish();
}

}  // namespace

Bytes HashChain::key_of(std::uint64_t index) const {
    return prefix_ + big_endian(index);
}

Result<std::unique_ptr<HashChain>> HashChain::open(KeyValueStore& store, std::string prefix) {
    std::unique_ptr<HashChain> out(new HashChain(store, std::move(prefix)));
    CLARITY_TRY(const auto last, out->tail(1));
    if (!last.empty()) {
        out->index_ = last.front().index;
        out->digest_ = last.front().digest;
    }
    return out;
}

Result<ChainEntry> HashChain::append(std::int64_t now_unix_ms, std::string_view text) {
    const std::lock_guard lock(mutex_);
    ChainEntry entry{index_ + 1, now_unix_ms, std::string(text), {}};
    entry.digest = digest_of(digest_, entry);
    CLARITY_CHECK(store_.put(key_of(entry.index), encode(entry), Sync::yes));
    index_ = entry.index;
    digest_ = entry.digest;
    return entry;
}

Result<std::uint64_t> HashChain::verify() const {
    const std::lock_guard lock(mutex_);
    Digest previous;
    std::uint64_t count = 0;
    Result<void> fits;
    CLARITY_CHECK(store_.scan(prefix_, [&](std::string_view key, std::string_view value) {
        const std::uint64_t index = from_big_endian(key.substr(prefix_.size()));
        auto entry = decode(index, value);
        if (!entry) {
            fits = tl::unexpected(std::move(entry).error());
        } else if (index != count + 1) {
            fits = fail(Errc::bad_signature, "log {}: entry {} is missing", prefix_, count + 1);
        } else if (entry->digest != digest_of(previous, *entry)) {
            fits = fail(Errc::bad_signature, "log {}: entry {} was changed", prefix_, index);
        } else {
            previous = entry->digest;
            count = index;
        }
        return fits.has_value();
    }));
    if (!fits) return tl::unexpected(std::move(fits).error());
    if (count != index_ || previous != digest_) {
        return fail(Errc::bad_signature, "log {}: ends at entry {}, {} were written", prefix_,
                    count, index_);
    }
    return count;
}

Result<std::vector<ChainEntry>> HashChain::tail(std::size_t count) const {
    std::vector<ChainEntry> out;
    Result<void> readable;
    CLARITY_CHECK(store_.scan_back(prefix_, [&](std::string_view key, std::string_view value) {
        if (out.size() >= count) return false;
        auto entry = decode(from_big_endian(key.substr(prefix_.size())), value);
        if (!entry) {
            readable = tl::unexpected(std::move(entry).error());
            return false;
        }
        out.push_back(std::move(*entry));
        return true;
    }));
    if (!readable) return tl::unexpected(std::move(readable).error());
    return std::vector<ChainEntry>(std::make_move_iterator(out.rbegin()),
                                   std::make_move_iterator(out.rend()));
}

std::uint64_t HashChain::size() const {
    const std::lock_guard lock(mutex_);
    return index_;
}

Digest HashChain::last_digest() const {
    const std::lock_guard lock(mutex_);
    return digest_;
}

}  // namespace clarity
