#include "protocol/mesh/dissemination.hpp"

#include <algorithm>
#include <bit>

#include "protocol/mesh/documents.hpp"
#include "protocol/mesh/records.hpp"

namespace clarity::mesh {
namespace {

constexpr std::size_t items_per_frame = 128;
constexpr std::size_t much = 32;        ///< items in one push that count as a flood
constexpr std::size_t fresh_max = 256;  ///< beyond it, others' news is left to anti-entropy
constexpr std::int64_t calm_ms = 250;   ///< without a push: the stream of news is over
constexpr std::size_t stream_announces = 2;

}  // namespace

Dissemination::Dissemination(Outbox& outbox, Membership& members, const Records& records,
                             const Documents& documents)
    : out_(outbox), members_(members), records_(records), documents_(documents) {}

void Dissemination::schedule_push() {
    push_at_ =
        std::min(push_at_, std::max(out_.now_ms + out_.settings.push_delay_ms, not_before_ms_));
}

void Dissemination::updates_waiting() {
    schedule_push();
}

void Dissemination::add(Item item) {
    const auto same = [&](const Item& each) {
        return each.owner == item.owner && each.digest == item.digest;
    };
    if (fresh_.size() >= fresh_max && item.from != 0) return;
    if (std::find_if(fresh_.begin(), fresh_.end(), same) != fresh_.end()) return;
    if (repeating_.size() <= much) repeating_.remove_if(same);
    item.repeats = 2 + static_cast<std::uint32_t>(std::bit_width(members_.size()) / 2);
    fresh_.push_back(item);
    schedule_push();
}

void Dissemination::fresh_record(MemberKey owner, MemberKey from) {
    add({.owner = owner, .digest = {}, .from = from});
}

void Dissemination::fresh_document(const Digest& digest, MemberKey from) {
    add({.owner = 0, .digest = digest, .from = from});
}

void Dissemination::on_time() {
    if (out_.now_ms >= push_at_) push();
    if (out_.now_ms >= repeat_at_) repeat();
}

void Dissemination::push() {
    push_at_ = never;
    if (members_.reachable_count() == 0) {  // nobody to tell yet: the first one alive wakes us
        if (fresh_.size() > items_per_frame) fresh_.resize(items_per_frame);
        return;
    }
    std::vector<Item> now(fresh_.begin(), fresh_.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                               fresh_.size(), items_per_frame)));
    fresh_.erase(fresh_.begin(), fresh_.begin() + static_cast<std::ptrdiff_t>(now.size()));
    space_out(now.size());
    if (now.empty()) {
        gossip();
    } else {
        const auto all = [](const Item& item) { return item.from == 0 || item.owner == 0; };
        const bool some = is_stream() && std::none_of(now.begin(), now.end(), all);
        std::size_t bodies = 0;
        std::size_t announced = 0;
        for (const auto to : members_.active_reachable()) {
            if (bodies < out_.settings.push_fanout && push_bodies(to, now)) ++bodies;
            else if (!some || announced++ < stream_announces) announce(to, now);
        }
        for (const auto& item : now) {
            if ((now.size() <= much && !is_stream()) || all(item)) repeating_.push_back(item);
        }
    }
    if (!fresh_.empty()) schedule_push();
    if (!repeating_.empty() || members_.has_updates()) {
        repeat_at_ = std::min(repeat_at_, out_.now_ms + out_.settings.gossip_interval_ms);
    }
}

void Dissemination::space_out(std::size_t items) {
    const auto& s = out_.settings;
    const bool goes_on = pushed_ms_ >= 0 && out_.now_ms - pushed_ms_ < calm_ms;
    gap_ms_ = goes_on ? std::min(2 * gap_ms_, s.gossip_interval_ms) : s.push_delay_ms;
    if (items > much) gap_ms_ = std::max(gap_ms_, s.gossip_interval_ms / 2);
    pushed_ms_ = out_.now_ms;
    not_before_ms_ = out_.now_ms + gap_ms_;
}

bool Dissemination::push_bodies(Index to, const std::vector<Item>& items) {
    Frame frame;
    frame.type = FrameType::records;
    std::size_t size_bytes = 0;
    std::vector<Item> rest;
    for (const auto& item : items) {
        const auto* body = item.owner == 0 ? nullptr : records_.find(item.owner);
        if (body == nullptr || item.from == members_.key(to)) {
            if (item.owner == 0) rest.push_back(item);
            continue;
        }
        size_bytes += body->bytes.size();
        if (size_bytes > out_.settings.eager_record_max_bytes) return false;
        frame.bodies.push_back({item.owner, body->version, body->bytes});
    }
    if (frame.bodies.empty()) return false;
    members_.send(to, std::move(frame));
    if (!rest.empty()) announce(to, rest);
    return true;
}

void Dissemination::announce(Index to, const std::vector<Item>& items) {
    Frame frame;
    frame.type = FrameType::announce;
    for (const auto& item : items) {
        if (item.from == members_.key(to)) continue;
        if (item.owner == 0) {
            if (const auto* ad = documents_.find(item.digest)) frame.ads.push_back(*ad);
        } else if (const auto* record = records_.find(item.owner)) {
            frame.entries.push_back({item.owner, record->version, record->hash});
        }
    }
    if (!frame.entries.empty() || !frame.ads.empty()) members_.send(to, std::move(frame));
}

void Dissemination::repeat() {
    repeat_at_ = never;
    std::vector<Item> now;
    const auto rounds = std::min(repeating_.size(), items_per_frame);
    for (std::size_t n = 0; n < rounds; ++n) {
        auto item = repeating_.front();
        repeating_.pop_front();
        now.push_back(item);
        if (--item.repeats > 0) repeating_.push_back(item);
    }
    if (now.empty()) gossip();
    std::size_t told = 0;
    for (const auto to : members_.active_reachable()) {
        if (now.empty() || told++ == out_.settings.push_fanout) break;
        announce(to, now);
    }
    if (!repeating_.empty() || members_.has_updates()) {
        repeat_at_ = out_.now_ms + out_.settings.gossip_interval_ms;
    }
}

void Dissemination::gossip() {
    std::size_t told = 0;
    for (const auto to : members_.active_reachable()) {
        if (!members_.has_updates() || told++ == out_.settings.push_fanout) break;
        members_.send(to, Frame{});
    }
}

}  // namespace clarity::mesh
