#include "protocol/mesh/records.hpp"

#include <algorithm>

#include "protocol/sha256.hpp"

namespace clarity::mesh {
namespace {

constexpr std::size_t pulls_max = 1024;
constexpr std::size_t pull_sources_max = 4;
constexpr std::uint32_t pull_attempts_max = 8;
constexpr std::size_t owners_per_get = 256;
constexpr std::size_t reported_max = 1024;

std::uint64_t hash_of(std::string_view bytes) {
    const auto digest = sha256(bytes);
    std::uint64_t out = 0;
    for (std::size_t i = 0; i < 8; ++i) out = out << 8U | digest.data[i];
    return out;
}

std::uint64_t entry_hash(RecordVersion version, std::uint64_t hash) {
    return mix(mix(version.incarnation, version.seq), hash);
}

}  // namespace

Records::Records(Outbox& outbox, Membership& members, OnStored stored)
    : out_(outbox), members_(members), stored_(std::move(stored)) {}

const StoredRecord* Records::find(MemberKey owner) const {
    const auto i = members_.find_key(owner);
    return i ? rows_[*i].get() : nullptr;
}

RecordVersion Records::next_version() const {
    const auto* own = find(members_.self_key());
    const auto incarnation = members_.incarnation();
    if (own == nullptr || own->version.incarnation != incarnation) return {incarnation, 1};
    return {incarnation, own->version.seq + 1};
}

void Records::store(Index owner, RecordVersion version, Bytes bytes, std::uint64_t hash) {
    auto& row = rows_[owner];
    const auto key = members_.key(owner);
    if (row) digest_.toggle(key, entry_hash(row->version, row->hash));
    else ++count_;
    row = std::make_shared<const StoredRecord>(StoredRecord{version, std::move(bytes), hash});
    if (out_.settings.share_record) row = out_.settings.share_record(std::move(row));
    digest_.toggle(key, entry_hash(version, hash));
    pulls_.erase(key);
}

void Records::set_own(RecordVersion version, Bytes bytes) {
    const auto* own = find(members_.self_key());
    if (own != nullptr && version <= own->version) return;
    if (!members_.taking_part() || bytes.empty() || bytes.size() > stored_record_max_bytes) {
        ++out_.counters.records_refused;
        return;
    }
    const auto hash = hash_of(bytes);
    store(members_.self(), version, std::move(bytes), hash);
    stored_(members_.self_key(), 0);
}

void Records::members_changed(const Roll& before) {
    const auto old = std::exchange(rows_, std::vector<RecordPtr>(members_.size()));
    digest_ = BucketDigest();
    count_ = 0;
    for (Index i = 0; i < old.size(); ++i) {
        const auto now = members_.find_key(before.key(i));
        if (!now || !old[i]) continue;
        rows_[*now] = old[i];
        ++count_;
        digest_.toggle(before.key(i), entry_hash(old[i]->version, old[i]->hash));
    }
    std::erase_if(pulls_, [&](const auto& each) { return !members_.find_key(each.first); });
}

Records::Verdict Records::judge(MemberKey owner, RecordVersion version, std::uint64_t hash) const {
    const auto* mine = find(owner);
    if (mine != nullptr && version == mine->version) {
        return hash == mine->hash ? Verdict::known : Verdict::conflict;
    }
    if (owner == members_.self_key() && mine == nullptr) {  // we would sign above it anyway
        return version >= next_version() ? Verdict::newer : Verdict::older;
    }
    return mine == nullptr || version > mine->version ? Verdict::newer : Verdict::older;
}

bool Records::verified(Index owner, const RecordBody& body) {
    const auto& verify = out_.settings.verify_record;
    if (!body.bytes.empty() && body.bytes.size() <= stored_record_max_bytes &&
        body.version.incarnation <= incarnation_max && verify &&
        verify(members_.id(owner), body.version, body.bytes)) {
        return true;
    }
    ++out_.counters.records_refused;
    return false;
}

std::size_t Records::take(Index from, std::span<const RecordBody> bodies) {
    std::size_t fresh = 0;
    const auto from_key = members_.key(from);
    for (const auto& body : bodies) {
        const auto i = members_.find_key(body.owner);
        if (!i) continue;
        const auto* mine = rows_[*i].get();  // most copies are of what is here
        const bool same =
            mine != nullptr && mine->version == body.version && mine->bytes == body.bytes;
        const auto hash = same ? mine->hash : hash_of(body.bytes);
        switch (judge(body.owner, body.version, hash)) {
            case Verdict::known: pulls_.erase(body.owner); break;
            case Verdict::older: break;
            case Verdict::conflict: conflict(*i, body, hash, from); break;
            case Verdict::newer:
                if (!verified(*i, body)) break;
                ++fresh;
                if (*i == members_.self()) {
                    own_copy(body, hash);
                    break;
                }
                store(*i, body.version, body.bytes, hash);
                ++out_.counters.records_received;
                out_.effects.push_back(RecordReceived{members_.id(*i), body.version, rows_[*i]});
                stored_(body.owner, from_key);
                break;
        }
    }
    return fresh;
}

void Records::own_copy(const RecordBody& body, std::uint64_t hash) {
    if (judge(body.owner, body.version, hash) == Verdict::known) return;
    pulls_.erase(body.owner);
    if (body.version >= next_version() || find(body.owner) == nullptr ||
        body.version == find(body.owner)->version) {
        members_.raise_incarnation(body.version.incarnation + 1);
    }
    out_.effects.push_back(RecordJump{});
}

void Records::conflict(Index owner, const RecordBody& body, std::uint64_t hash, Index from) {
    pulls_.erase(body.owner);
    const auto id = mix(body.owner, entry_hash(body.version, hash));
    if (reported_.contains(id) || !verified(owner, body)) return;
    if (owner == members_.self()) return own_copy(body, hash);
    if (reported_.size() >= reported_max) reported_.clear();
    reported_.insert(id);
    ++out_.counters.equivocations;
    out_.effects.push_back(
        Equivocation{members_.id(owner), body.version, body.bytes, members_.id(from)});
}

void Records::consider(Index from, std::span<const Entry> entries, std::int64_t delay_ms) {
    const auto source = members_.key(from);
    if (pulls_.empty()) pull_at_ = never;  // not that of a pull of long ago: we have not slept
    for (const auto& entry : entries) {
        if (!members_.find_key(entry.owner)) continue;
        if (entry.version.incarnation > incarnation_max) continue;
        const auto verdict = judge(entry.owner, entry.version, entry.hash);
        if (verdict == Verdict::known || verdict == Verdict::older) continue;
        if (verdict == Verdict::conflict &&
            reported_.contains(mix(entry.owner, entry_hash(entry.version, entry.hash)))) {
            continue;
        }
        if (pulls_.size() >= pulls_max && !pulls_.contains(entry.owner)) continue;
        auto& pull = pulls_[entry.owner];
        if (pull.due_ms == 0 || entry.version > pull.version) {
            pull = {entry.version, {}, out_.now_ms + delay_ms, 0};
        }
        std::erase(pull.sources, source);
        if (pull.sources.size() >= pull_sources_max) pull.sources.erase(pull.sources.begin());
        pull.sources.push_back(source);
        pull_at_ = std::min(pull_at_, pull.due_ms);
    }
}

std::map<MemberKey, std::vector<MemberKey>> Records::due_by_source() {
    const auto& s = out_.settings;
    std::map<MemberKey, std::vector<MemberKey>> gets;
    pull_at_ = never;
    for (auto each = pulls_.begin(); each != pulls_.end();) {
        auto& [owner, pull] = *each;
        if (pull.due_ms <= out_.now_ms) {
            if (pull.attempts >= pull_attempts_max) {
                each = pulls_.erase(each);  // anti-entropy finds it again
                continue;
            }
            gets[pull.sources[pull.attempts % pull.sources.size()]].push_back(owner);
            const auto backoff = s.pull_timeout_ms << (pull.attempts / 2);
            const auto wait = std::min(backoff, s.pull_timeout_max_ms);
            pull.due_ms = out_.now_ms + out_.random.jitter(wait);
            ++pull.attempts;
        }
        pull_at_ = std::min(pull_at_, pull.due_ms);
        ++each;
    }
    return gets;
}

void Records::on_time() {
    if (out_.now_ms < deadline()) return;
    for (const auto& [source, owners] : due_by_source()) {
        const auto to = members_.find_key(source);
        if (!to) continue;
        for (std::size_t first = 0; first < owners.size(); first += owners_per_get) {
            const auto last = std::min(owners.size(), first + owners_per_get);
            Frame frame;
            frame.type = FrameType::record_get;
            frame.owners.assign(owners.begin() + static_cast<std::ptrdiff_t>(first),
                                owners.begin() + static_cast<std::ptrdiff_t>(last));
            members_.send(*to, std::move(frame));
        }
    }
}

void Records::serve(Index to, std::span<const MemberKey> owners) {
    Frame frame;
    frame.type = FrameType::records;
    std::size_t size_bytes = 0;
    for (const auto owner : owners) {
        const auto* record = find(owner);
        if (record == nullptr) continue;
        size_bytes += record->bytes.size();
        if (size_bytes > out_.settings.delta_max_bytes && !frame.bodies.empty()) {
            frame.more = true;  // the peer asks again for the rest
            break;
        }
        frame.bodies.push_back({owner, record->version, record->bytes});
    }
    if (!frame.bodies.empty()) members_.send(to, std::move(frame));
}

std::vector<Entry> Records::list(std::uint64_t& mask, std::size_t max) const {
    std::array<std::vector<Entry>, bucket_count> by_bucket;
    for (Index i = 0; i < rows_.size(); ++i) {
        if (!rows_[i]) continue;
        const auto key = members_.key(i);
        const auto b = BucketDigest::bucket_of(key);
        if ((mask >> b & 1U) != 0) by_bucket[b].push_back({key, rows_[i]->version, rows_[i]->hash});
    }
    std::vector<Entry> out;
    const auto first = out_.random.below(bucket_count);
    for (std::size_t n = 0; n < bucket_count; ++n) {
        const auto b = (first + n) % bucket_count;
        if (out.size() + by_bucket[b].size() > max) mask &= ~(std::uint64_t{1} << b);
        else out.insert(out.end(), by_bucket[b].begin(), by_bucket[b].end());
    }
    return out;
}

void Records::send_missing(Index to, std::uint64_t mask, std::span<const Entry> has) {
    std::unordered_map<MemberKey, RecordVersion> theirs;
    for (const auto& entry : has) theirs[entry.owner] = entry.version;
    Frame frame;
    frame.type = FrameType::records;
    std::size_t size_bytes = 0;
    // From a random place: what the peer refuses to take must not keep the rest from it for ever.
    const auto first = out_.random.below(rows_.size());
    for (std::size_t n = 0; n < rows_.size(); ++n) {
        const auto i = static_cast<Index>((first + n) % rows_.size());
        const auto key = members_.key(i);
        if (!rows_[i] || (mask >> BucketDigest::bucket_of(key) & 1U) == 0) continue;
        const auto& record = *rows_[i];
        const auto found = theirs.find(key);
        if (found != theirs.end() && found->second >= record.version) continue;
        size_bytes += record.bytes.size();
        if ((size_bytes > out_.settings.delta_max_bytes || frame.bodies.size() >= bodies_max) &&
            !frame.bodies.empty()) {
            frame.more = true;
            break;
        }
        frame.bodies.push_back({key, record.version, record.bytes});
    }
    if (!frame.bodies.empty()) members_.send(to, std::move(frame));
}

}  // namespace clarity::mesh
