#include "protocol/mesh/documents.hpp"

#include <algorithm>

namespace clarity::mesh {
namespace {

constexpr std::size_t seen_max = 8192;
constexpr std::size_t sources_max = 8;
constexpr std::size_t sources_at_once = 3;
constexpr std::size_t wants_max = 4096;
/// Pulls under way on the word of a single member: who promises what it does not have can fill
/// no more of the queue than this.
constexpr std::size_t promises_max = 64;
constexpr std::int64_t report_interval_ms = 10'000;

std::uint64_t key_of(const Digest& digest) {
    std::uint64_t out = 0;
    for (std::size_t i = 0; i < 8; ++i) out = out << 8U | digest.data[i];
    return out;
}

bool acceptable(const DocumentAd& ad) {
    return ad.size_bytes > 0 && ad.size_bytes <= mesh_document_max_bytes && ad.kind.size() <= 32 &&
           ad.key.size() <= 128;
}

}  // namespace

Documents::Documents(Outbox& outbox, Membership& members, OnOffered offered)
    : out_(outbox), members_(members), offered_hook_(std::move(offered)) {}

void Documents::offer(const DocumentAd& ad, std::shared_ptr<const Bytes> body) {
    if (offered_.contains(ad.digest)) return;
    DocumentAd own = ad;
    own.size_bytes = body->size();
    if (!acceptable(own) || offered_.size() >= out_.settings.documents_max) {
        ++out_.counters.documents_refused;
        return;
    }
    MemberKey from = 0;
    if (const auto found = seen_.find(ad.digest); found != seen_.end()) {
        if (!found->second.sources.empty()) from = found->second.sources.back();
    }
    set_.toggle(key_of(ad.digest), 0);
    offered_.emplace(ad.digest, Offered{std::move(own), std::move(body), ++order_});
    end_pull(ad.digest);
    seen_.erase(ad.digest);
    offered_hook_(ad.digest, from);
}

void Documents::end_pull(const Digest& digest) {
    const auto found = pulls_.find(digest);
    if (found == pulls_.end()) return;
    const auto promised = promises_.find(found->second.promised_by);
    if (promised != promises_.end() && --promised->second == 0) promises_.erase(promised);
    pulls_.erase(found);
}

void Documents::withdraw(const Digest& digest) {
    end_pull(digest);
    if (offered_.erase(digest) > 0) set_.toggle(key_of(digest), 0);
}

std::vector<DocumentAd> Documents::offered() const {
    std::vector<DocumentAd> out;
    for (const auto& [digest, offered] : offered_) out.push_back(offered.ad);
    return out;
}

const DocumentAd* Documents::find(const Digest& digest) const {
    const auto found = offered_.find(digest);
    return found == offered_.end() ? nullptr : &found->second.ad;
}

void Documents::note_source(Seen& seen, MemberKey source) {
    std::erase(seen.sources, source);
    if (seen.sources.size() >= sources_max) seen.sources.erase(seen.sources.begin());
    seen.sources.push_back(source);
}

void Documents::take_ads(Index from, std::span<const DocumentAd> ads) {
    const auto source = members_.key(from);
    for (const auto& ad : ads) {
        if (!acceptable(ad) || offered_.contains(ad.digest)) continue;
        if (seen_.size() >= seen_max && !seen_.contains(ad.digest)) seen_.erase(seen_.begin());
        auto& seen = seen_[ad.digest];
        seen.ad = ad;
        note_source(seen, source);
        if (const auto pull = pulls_.find(ad.digest); pull != pulls_.end()) {
            pull->second.bad.erase(source);  // it has it now
            if (!pull->second.in_flight) schedule(pull->second, out_.now_ms);
        } else if (seen.reported_ms < 0 || out_.now_ms - seen.reported_ms >= report_interval_ms) {
            const auto promised = promises_.find(source);
            if (promised != promises_.end() && promised->second >= promises_max) continue;
            seen.reported_ms = out_.now_ms;
            seen.reported_of = source;
            out_.effects.push_back(AdSeen{members_.id(from), ad});
        }
    }
}

void Documents::want(const Digest& digest) {
    if (offered_.contains(digest) || pulls_.contains(digest) || pulls_.size() >= wants_max) return;
    if (pulls_.empty()) pull_at_ = never;  // not that of a pull of long ago: we have not slept
    auto& pull = pulls_[digest];
    if (const auto seen = seen_.find(digest); seen != seen_.end()) {
        pull.promised_by = seen->second.reported_of;
        if (pull.promised_by != 0) ++promises_[pull.promised_by];
    }
    schedule(pull, out_.now_ms);
}

void Documents::schedule(Pull& pull, std::int64_t due_ms) {
    pull.due_ms = due_ms;
    pull_at_ = std::min(pull_at_, due_ms);
}

std::vector<Index> Documents::choose_sources(const Digest& digest, Pull& pull) {
    std::vector<Index> known;
    if (const auto seen = seen_.find(digest); seen != seen_.end()) {
        for (const auto key : seen->second.sources) {
            const auto i = members_.find_key(key);
            if (!i || pull.bad.contains(key)) continue;
            // Stay with a source that has delivered.
            if (key == pull.source && pull.attempts == 0) return {*i};
            known.push_back(*i);
        }
    }
    if (known.empty()) {
        pull.bad.clear();
        known = members_.active_reachable();
        known.resize(std::min<std::size_t>(known.size(), 1));
        return known;
    }
    for (std::size_t i = known.size(); i > 1; --i) {
        std::swap(known[i - 1], known[out_.random.below(i)]);
    }
    if (known.size() > 1 && members_.key(known[0]) == pull.source) std::swap(known[0], known[1]);
    // What was lost twice is asked of several.
    known.resize(std::min(known.size(), pull.attempts < 2 ? 1 : sources_at_once));
    return known;
}

void Documents::ask(const Digest& digest, Pull& pull) {
    const auto& s = out_.settings;
    const auto shift = std::min<std::uint32_t>(pull.attempts / 4, 10);
    const auto wait = std::min(s.pull_timeout_ms << shift, s.pull_timeout_max_ms);
    schedule(pull, out_.now_ms + out_.random.jitter(wait));
    const auto sources = choose_sources(digest, pull);
    ++pull.attempts;
    pull.in_flight = !sources.empty();
    for (const auto source : sources) {
        const auto key = members_.key(source);
        if (pull.body.empty() || pull.asked.empty()) pull.source = key;
        pull.asked.insert(key);
        Frame frame;
        frame.type = FrameType::document_get;
        frame.digest = digest;
        frame.offset = pull.body.size();
        members_.send(source, std::move(frame));
    }
}

/// Those that were tried least come first: what nobody delivers does not stand in the way.
std::vector<Digest> Documents::due_pulls() {
    std::vector<std::pair<std::uint32_t, Digest>> due;
    for (auto& [digest, pull] : pulls_) {
        if (pull.due_ms > out_.now_ms) continue;
        pull.in_flight = false;
        due.emplace_back(pull.attempts, digest);
    }
    std::sort(due.begin(), due.end());
    std::vector<Digest> out;
    for (const auto& [attempts, digest] : due) out.push_back(digest);
    return out;
}

void Documents::on_time() {
    if (out_.now_ms < deadline()) return;
    const auto due = due_pulls();
    auto in_flight = static_cast<std::size_t>(std::count_if(
        pulls_.begin(), pulls_.end(), [](const auto& each) { return each.second.in_flight; }));
    for (const auto& digest : due) {
        auto& pull = pulls_.at(digest);
        if (in_flight < out_.settings.pulls_max) {
            ask(digest, pull);
            if (pull.in_flight) ++in_flight;
        } else {
            pull.due_ms = out_.now_ms + out_.settings.pull_delay_ms;  // its turn comes
        }
    }
    pull_at_ = never;
    for (const auto& [digest, pull] : pulls_) pull_at_ = std::min(pull_at_, pull.due_ms);
}

void Documents::serve(Index to, const Digest& digest, std::uint64_t offset) {
    const auto second = out_.now_ms / 1000;
    if (second != served_second_) served_second_ = second, served_ = 0;
    if (++served_ > out_.settings.parts_served_max_s) return;
    Frame frame;
    frame.type = FrameType::document_part;
    frame.digest = digest;
    frame.offset = offset;
    if (const auto found = offered_.find(digest); found != offered_.end()) {
        const auto& [ad, body, order] = found->second;
        if (offset >= body->size()) return;
        frame.ads.push_back(ad);
        frame.bytes = body->substr(offset, out_.settings.delta_max_bytes);
    }
    members_.send(to, std::move(frame));
}

void Documents::source_failed(Pull& pull, MemberKey source) {
    pull.bad.insert(source);
    pull.asked.erase(source);
    pull.in_flight = false;
    const bool alone = pull.attempts > 2;
    schedule(pull, out_.now_ms + (alone ? out_.random.jitter(out_.settings.pull_timeout_ms) : 0));
}

void Documents::take_part(Index from, const Frame& part) {
    const auto found = pulls_.find(part.digest);
    const auto source = members_.key(from);
    if (found == pulls_.end()) {
        if (!part.bytes.empty() && offered_.contains(part.digest)) {
            ++out_.counters.document_parts_duplicate;
        }
        return;
    }
    auto& pull = found->second;
    if (!part.bytes.empty() && part.offset < pull.body.size()) {  // a late one
        ++out_.counters.document_parts_duplicate;
        return;
    }
    if (!pull.asked.contains(source)) return;
    if (part.ads.size() != 1 || part.bytes.empty() || !acceptable(part.ads[0]) ||
        part.ads[0].digest != part.digest) {
        return source_failed(pull, source);  // it does not have it
    }
    if (part.offset != pull.body.size()) return;
    const auto& ad = part.ads[0];
    if (pull.size_bytes != 0 && pull.size_bytes != ad.size_bytes) {
        pull.body.clear();  // sources disagree: one of them lies, so trust one at a time
        pull.size_bytes = 0;
        pull.mixed = false;
        return source_failed(pull, source);
    }
    pull.size_bytes = ad.size_bytes;
    if (pull.body.size() + part.bytes.size() > ad.size_bytes) return source_failed(pull, source);
    if (!pull.body.empty() && pull.source != source) pull.mixed = true;
    pull.source = source;
    pull.asked.clear();
    pull.body += part.bytes;
    ++out_.counters.document_parts;
    if (seen_.size() < seen_max || seen_.contains(part.digest)) {
        auto& seen = seen_[part.digest];  // it may have been asked without an ad
        seen.ad = ad;
        if (seen.sources.empty() || seen.sources.back() != source) note_source(seen, source);
    }
    pull.attempts = 0;
    pull.in_flight = false;
    if (pull.body.size() == ad.size_bytes) complete(from, part.digest, pull, ad);
    else ask(part.digest, pull);
}

void Documents::complete(Index from, const Digest& digest, Pull& pull, const DocumentAd& ad) {
    const auto& verify = out_.settings.verify_document;
    if (!verify || !verify(ad, pull.body)) {
        ++out_.counters.documents_refused;
        const bool guilty = !pull.mixed;
        pull.body.clear();
        pull.size_bytes = 0;
        pull.mixed = false;
        pull.attempts = 3;  // do not hurry: something is wrong
        if (guilty) return source_failed(pull, members_.key(from));
        return schedule(pull, out_.now_ms + out_.settings.pull_timeout_ms);
    }
    DocumentReceived received{ad, std::move(pull.body), members_.id(from)};
    end_pull(digest);
    // Not announced to the owner again for a while: it may be busy judging it.
    if (const auto seen = seen_.find(digest); seen != seen_.end()) {
        seen->second.reported_ms = out_.now_ms;
    }
    out_.effects.push_back(std::move(received));
    pull_at_ = std::min(pull_at_, out_.now_ms);  // the next in the queue
}

std::vector<DocumentAd> Documents::list(std::uint64_t& mask, std::size_t max) const {
    std::array<std::vector<const DocumentAd*>, bucket_count> by_bucket;
    for (const auto& [digest, offered] : offered_) {
        const auto b = BucketDigest::bucket_of(key_of(digest));
        if ((mask >> b & 1U) != 0) by_bucket[b].push_back(&offered.ad);
    }
    std::vector<DocumentAd> out;
    const auto first = out_.random.below(bucket_count);
    for (std::size_t n = 0; n < bucket_count; ++n) {
        const auto b = (first + n) % bucket_count;
        if (out.size() + by_bucket[b].size() > max) {
            mask &= ~(std::uint64_t{1} << b);
            continue;
        }
        for (const auto* ad : by_bucket[b]) out.push_back(*ad);
    }
    return out;
}

std::vector<DocumentAd> Documents::latest(std::size_t max) const {
    std::vector<DocumentAd> out;
    for (const auto& [digest, offered] : offered_) {
        if (offered.order + max > order_) out.push_back(offered.ad);
    }
    return out;
}

std::vector<DocumentAd> Documents::missing(std::uint64_t mask,
                                           std::span<const DocumentAd> has) const {
    std::set<Digest> theirs;
    for (const auto& ad : has) theirs.insert(ad.digest);
    std::vector<DocumentAd> out;
    for (const auto& [digest, offered] : offered_) {
        if ((mask >> BucketDigest::bucket_of(key_of(digest)) & 1U) == 0) continue;
        if (!theirs.contains(digest)) out.push_back(offered.ad);
        if (out.size() >= ads_max) break;
    }
    return out;
}

}  // namespace clarity::mesh
