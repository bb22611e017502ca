#include "protocol/mesh/anti_entropy.hpp"

namespace clarity::mesh {
namespace {

/// Exchanges out of turn (returns, deltas with more to come) are spaced at least this far.
constexpr std::int64_t extra_interval_ms = 50;
/// Most likely what the peer lacks: saves a round trip.
constexpr std::size_t latest_documents = 4;
constexpr auto members_set = static_cast<std::size_t>(Set::members);
constexpr auto records_set = static_cast<std::size_t>(Set::records);
constexpr auto documents_set = static_cast<std::size_t>(Set::documents);

}  // namespace

AntiEntropy::AntiEntropy(Outbox& outbox, Membership& members, Records& records,
                         Documents& documents)
    : out_(outbox), members_(members), records_(records), documents_(documents) {}

const BucketDigest& AntiEntropy::digest_of(std::size_t set) const {
    if (set == members_set) return members_.digest();
    return set == records_set ? records_.digest() : documents_.digest();
}

std::uint64_t AntiEntropy::root() const {
    std::uint64_t out = 0;
    for (std::size_t set = 0; set < set_count; ++set) out = mix(out, digest_of(set).root());
    return out;
}

void AntiEntropy::compare(Index peer, std::uint64_t root) {
    if (out_.now_ms < not_before_ms_ || root == this->root()) return;
    not_before_ms_ = out_.now_ms + out_.random.jitter(out_.settings.anti_entropy_ms);
    extra_not_before_ms_ = out_.now_ms + extra_interval_ms;
    send_digest(peer);
}

void AntiEntropy::start_with(Index peer) {
    if (out_.now_ms < extra_not_before_ms_) return;
    extra_not_before_ms_ = out_.now_ms + extra_interval_ms;
    send_digest(peer);
}

void AntiEntropy::send_digest(Index to) {
    ++out_.counters.exchanges;
    Frame frame;
    frame.type = FrameType::digest;
    for (std::size_t set = 0; set < set_count; ++set) frame.roots[set] = digest_of(set).root();
    members_.send(to, std::move(frame));
}

void AntiEntropy::take_digest(Index from, const Frame& frame) {
    Frame answer;
    answer.type = FrameType::buckets;
    bool differs = false;
    for (std::size_t set = 0; set < set_count; ++set) {
        if (digest_of(set).root() == frame.roots[set]) continue;
        answer.buckets[set] = digest_of(set).buckets();
        differs = true;
        if (set == documents_set) answer.ads = documents_.latest(latest_documents);
    }
    if (differs) members_.send(from, std::move(answer));
}

void AntiEntropy::take_buckets(Index from, const Frame& frame) {
    Frame request;
    request.type = FrameType::entries;
    request.request = true;
    for (std::size_t set = 0; set < set_count; ++set) {
        if (frame.buckets[set]) {
            request.masks[set] = digest_of(set).differing(*frame.buckets[set]);
        }
    }
    documents_.take_ads(from, frame.ads);
    if (request.masks == decltype(request.masks){}) return;
    const auto differs = request.masks;
    request.updates = members_.list(request.masks[members_set], entries_max);
    request.entries = records_.list(request.masks[records_set], entries_max);
    request.ads = documents_.list(request.masks[documents_set], ads_max);
    // More than fits: known to be missing, so the next exchange need not wait for its turn.
    if (request.masks != differs) not_before_ms_ = out_.now_ms + extra_interval_ms;
    members_.send(from, std::move(request));
}

void AntiEntropy::take_entries(Index from, const Frame& frame) {
    // The sender's side first (its updates were taken with the frame, like all updates).
    records_.consider(from, frame.entries, 0);
    documents_.take_ads(from, frame.ads);
    if (!frame.request) return;
    Frame answer;
    answer.type = FrameType::entries;
    auto mask = frame.masks[members_set];
    answer.updates = members_.list(mask, entries_max);
    answer.ads = documents_.missing(frame.masks[documents_set], frame.ads);
    if (!answer.updates.empty() || !answer.ads.empty()) members_.send(from, std::move(answer));
    records_.send_missing(from, frame.masks[records_set], frame.entries);
}

}  // namespace clarity::mesh
