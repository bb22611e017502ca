#include "tests/sim/simulator.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "protocol/sha256.hpp"

namespace clarity::sim {
namespace {

constexpr std::size_t held_max = 20'000;  ///< what sockets keep for a process that stands still
constexpr std::uint64_t coordinator_key = 0x5ec7e7'c0de'c0deULL;
constexpr std::size_t plan_header = 24;

std::uint64_t load(std::string_view bytes, std::size_t at) {
    std::uint64_t out = 0;
    std::memcpy(&out, bytes.data() + at, 8);
    return out;
}

void store(Bytes& bytes, std::size_t at, std::uint64_t value) {
    std::memcpy(bytes.data() + at, &value, 8);
}

std::uint64_t signature(const std::string& owner, RecordVersion version, std::string_view body) {
    return mesh::mix(mesh::mix(mesh::key_of(owner), mesh::key_of(body)),
                     mesh::mix(version.incarnation, version.seq));
}

bool verify(const std::string& owner, RecordVersion version, std::string_view bytes) {
    return bytes.size() >= 16 && load(bytes, 0) == signature(owner, version, bytes.substr(8));
}

/// Of a plan that the coordinator has signed; 0 = it has not.
std::uint64_t seq_of(std::string_view body) {
    if (body.size() < plan_header || body.substr(0, 8) != "simplan:") return 0;
    const auto seq = load(body, 8);
    return load(body, 16) == mesh::mix(coordinator_key, seq) ? seq : 0;
}

std::uint64_t hash_of(std::string_view bytes) {
    std::uint64_t out = bytes.size();
    std::size_t at = 0;
    for (; at + 8 <= bytes.size(); at += 8) out = mesh::mix(out ^ load(bytes, at));
    for (; at < bytes.size(); ++at) out = mesh::mix(out ^ static_cast<unsigned char>(bytes[at]));
    return out;
}

std::string raw(const Digest& digest) {
    return {reinterpret_cast<const char*>(digest.data.data()), digest.data.size()};
}

}  // namespace

Bytes Simulator::signed_record(const std::string& owner, RecordVersion version,
                               std::uint64_t payload, std::size_t size_bytes) {
    Bytes body(std::max<std::size_t>(size_bytes, 16) - 8, 'r');
    store(body, 0, payload);
    Bytes out(8, '\0');
    store(out, 0, signature(owner, version, body));
    return out + body;
}

std::uint64_t Simulator::payload_of(std::string_view record) {
    return record.size() >= 16 ? load(record, 8) : 0;
}

Bytes Simulator::plan_body(std::uint64_t seq, std::size_t size_bytes, bool forged) {
    Bytes out(std::max(size_bytes, plan_header), 'p');
    std::memcpy(out.data(), "simplan:", 8);
    store(out, 8, seq);
    store(out, 16, mesh::mix(coordinator_key, forged ? seq + 1 : seq));
    return out;
}

Simulator::Simulator(SimulatorSettings settings)
    : settings_(std::move(settings)),
      random_(settings_.seed),
      network_(settings_.network, settings_.nodes, mesh::mix(settings_.seed, 1)),
      nodes_(settings_.nodes),
      views_(settings_.nodes),
      events_(now_ms_) {
    Roster everybody;
    std::vector<std::string> ids;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        nodes_[i].id = fmt::format("n{:05}", i);
        nodes_[i].site = settings_.site_of(i);
        nodes_[i].has_record = i < settings_.record_owners;
        ids.push_back(nodes_[i].id);
    }
    everybody.roll = mesh::Roll::make(std::move(ids));
    everybody.has.assign(nodes_.size(), true);
    rosters_.push_back(std::move(everybody));
}

std::optional<std::size_t> Simulator::index_of(std::string_view id) const {
    std::size_t out = 0;
    if (id.size() < 2 || id[0] != 'n') return std::nullopt;
    const auto parsed = std::from_chars(id.data() + 1, id.data() + id.size(), out);
    if (parsed.ec != std::errc() || out >= nodes_.size()) return std::nullopt;
    return out;
}

void Simulator::start(std::size_t i) {
    auto& node = nodes_[i];
    mesh::Settings s;
    s.site = node.site;
    s.self = node.id;
    s.seed = settings_.seed;
    s.verify_record = verify;
    s.verify_document = [](const mesh::DocumentAd& ad, std::string_view bytes) {
        return sha256(bytes) == ad.digest;
    };
    s.share_record = [this](mesh::RecordPtr record) { return share(std::move(record)); };
    const bool lost_disk = node.disk.incarnation == 0;
    node.mesh = std::make_unique<mesh::Mesh>(std::move(s), node.disk.incarnation + 1);
    node.wake_at_ms = 0;
    node.started_ms = now_ms_;
    mark(node);
    ++up_;
    views_.start(i);
    observer_->started(i, lost_disk);
    give_roster(i, rosters_.size() - 1);
    sign_record(i);
    for (const auto& digest : node.disk.documents) {
        const auto found = published_.find(raw(digest));
        if (found != published_.end()) offer(i, found->second);
    }
    carry_out(i);
}

void Simulator::give_roster(std::size_t i, std::size_t roster) {
    auto& node = nodes_[i];
    node.roster = roster;
    if (!node.mesh) return;
    node.mesh->set_members(clock(node), rosters_[roster].roll);
    for (std::size_t subject = 0; subject < nodes_.size(); ++subject) {
        if (!rosters_[roster].has[subject]) views_.set(i, subject, mesh::State::unknown);
    }
    observer_->roster_given(i);
}

mesh::RecordPtr Simulator::share(mesh::RecordPtr record) {
    if (records_.size() >= prune_at_) {
        std::erase_if(records_, [](const auto& each) { return each.second.expired(); });
        prune_at_ = 2 * records_.size() + 1024;
    }
    auto& known = records_[mesh::mix(record->hash, record->version.seq)];
    auto same = known.lock();
    if (same && same->version == record->version && same->bytes == record->bytes) return same;
    known = record;
    return record;
}

void Simulator::sign_record(std::size_t i) {
    auto& node = nodes_[i];
    if (!node.has_record) return;
    const auto version = node.mesh->next_version();
    auto bytes = signed_record(node.id, version, node.payload, settings_.record_bytes);
    observer_->record_signed(i, version, bytes);
    node.mesh->set_own_record(clock(node), version, std::move(bytes));
}

void Simulator::update_record(std::size_t i, std::uint64_t payload) {
    nodes_[i].payload = payload;
    nodes_[i].has_record = true;
    sign_record(i);
    carry_out(i);
}

void Simulator::offer(std::size_t i, const Published& document) {
    auto& node = nodes_[i];
    node.disk.documents.insert(document.ad.digest);
    node.mesh->offer(clock(node), document.ad, document.body);
}

Digest Simulator::publish(std::size_t i, const std::string& text) {
    const mesh::DocumentAd ad{"manifest", "of a test", 1, sha256(text), text.size()};
    bytes_published_ += text.size();
    offer(i, published_[raw(ad.digest)] = {ad, std::make_shared<const Bytes>(text)});
    carry_out(i);
    return ad.digest;
}

Digest Simulator::publish_plan(std::size_t i, std::uint64_t seq, std::size_t size_bytes) {
    auto body = plan_body(seq, size_bytes, false);
    bytes_published_ += body.size();
    const mesh::DocumentAd ad{"plan", "site", seq, sha256(body), body.size()};
    published_[raw(ad.digest)] = {ad, std::make_shared<const Bytes>(body)};
    mesh::DocumentReceived received{ad, std::move(body), nodes_[i].id};
    take_document(i, received);
    carry_out(i);
    return ad.digest;
}

/// As an agent does: a plan is wanted when its number is higher than that of the one in force, and
/// of other documents those that somebody who may has named.
void Simulator::take_ad(Node& node, const mesh::DocumentAd& ad) {
    if (ad.kind == "plan" && ad.version <= node.disk.plan_seq) return;
    if (ad.kind != "plan" && !published_.contains(raw(ad.digest))) return;
    node.mesh->want(clock(node), ad.digest);
}

void Simulator::take_document(std::size_t i, mesh::DocumentReceived& received) {
    auto& node = nodes_[i];
    const auto& digest = received.ad.digest;
    if (received.ad.kind == "plan") {
        const auto seq = seq_of(received.body);
        if (seq <= node.disk.plan_seq) {
            ++node.plans_refused;
            return;
        }
        const auto before = std::exchange(node.disk.plan_seq, seq);
        if (before != 0) {
            node.mesh->withdraw(node.disk.plan);
            node.disk.documents.erase(node.disk.plan);
        }
        node.disk.plan = digest;
        received.ad.version = seq;  // what the body says, not what somebody said of it
        observer_->plan_in_force(i, before, seq);
    }
    const auto known = published_.find(raw(digest));
    if (known != published_.end()) offer(i, known->second);  // one body for all
    else node.mesh->offer(clock(node), received.ad, std::move(received.body));
}

void Simulator::send(std::size_t from, std::size_t to, Bytes frame) {
    auto& sender = nodes_[from];
    ++sender.frames_sent;
    sender.bytes_sent += frame.size();
    const auto source = static_cast<std::uint32_t>(from);
    const auto target = static_cast<std::uint32_t>(to);
    if (meter_ != nullptr) meter_->add(now_ms_, source, target, frame.size());
    const auto arrivals = network_.carry(now_ms_, from, to);
    if (arrivals.count == 0) return;
    const auto shared = std::make_shared<const Bytes>(std::move(frame));
    for (std::size_t copy = 0; copy < arrivals.count; ++copy) {
        events_.push(arrivals.at_ms[copy], {Kind::frame, false, false, target, source, shared});
    }
}

void Simulator::inject(std::size_t from, std::size_t to, Bytes frame) {
    events_.push(now_ms_ + 1, {Kind::frame, false, false, static_cast<std::uint32_t>(to),
                               static_cast<std::uint32_t>(from),
                               std::make_shared<const Bytes>(std::move(frame))});
}

void Simulator::carry_out_one(std::size_t i, mesh::Effect& effect) {
    auto& node = nodes_[i];
    if (auto* out = std::get_if<mesh::Send>(&effect)) {
        const auto to = index_of(out->to);
        if (!to || (node.adversary && !node.adversary->frame_out(*this, *to, out->frame))) return;
        send(i, *to, std::move(out->frame));
    } else if (auto* changed = std::get_if<mesh::MemberChanged>(&effect)) {
        const auto subject = index_of(changed->id);
        if (!subject || *subject == i) return;
        const auto before = views_.set(i, *subject, changed->state);
        observer_->state_changed(i, *subject, before, changed->state);
    } else if (auto* record = std::get_if<mesh::RecordReceived>(&effect)) {
        observer_->record_received(i, *record);
    } else if (auto* stored = std::get_if<mesh::StoreIncarnation>(&effect)) {
        observer_->incarnation_stored(i, stored->value);
        node.disk.incarnation = stored->value;
    } else if (std::holds_alternative<mesh::RecordJump>(effect)) {
        ++node.jumps;
        sign_record(i);
    } else if (auto* seen = std::get_if<mesh::AdSeen>(&effect)) {
        take_ad(node, seen->ad);
    } else if (auto* got = std::get_if<mesh::DocumentReceived>(&effect)) {
        take_document(i, *got);
    } else if (auto* twice = std::get_if<mesh::Equivocation>(&effect)) {
        node.equivocations.push_back(*twice);
    }
}

void Simulator::carry_out(std::size_t i) {
    auto& node = nodes_[i];
    // Effects may lead to calls that have effects: until there are none.
    for (auto effects = node.mesh->take_effects(); !effects.empty();
         effects = node.mesh->take_effects()) {
        for (auto& effect : effects) carry_out_one(i, effect);
    }
    observer_->acted(i);
    wake(i);
}

/// Timers have a resolution of 1 ms.
void Simulator::wake(std::size_t i) {
    auto& node = nodes_[i];
    if (!node.mesh || node.mesh->deadline() == for_ever) return;
    const auto due = std::max(node.mesh->deadline() - node.clock_ahead_ms, now_ms_ + 1);
    if (node.wake_at_ms > now_ms_ && node.wake_at_ms <= due) return;
    node.wake_at_ms = due;
    const auto to = static_cast<std::uint32_t>(i);
    events_.push(due, {Kind::wake, false, false, to, to, nullptr});
}

bool Simulator::postponed(Node& node, Event& event) {
    auto until = node.frozen_until_ms;
    if (until <= now_ms_) {
        if (node.lag_ms == 0 || event.delayed) return false;
        until = std::max(now_ms_ + node.lag_ms, node.lag_free_ms);
        node.lag_free_ms = until;
        event.delayed = true;
    }
    if (event.kind == Kind::wake) {
        if (node.wake_at_ms != now_ms_) return true;  // superseded
        node.wake_at_ms = until;
    } else if (!event.held) {
        if (node.held >= held_max) return true;
        ++node.held;
        event.held = true;
    }
    events_.push(until, std::move(event));
    return true;
}

void Simulator::deliver(Event& event) {
    auto& node = nodes_[event.to];
    if (event.kind == Kind::call) {
        const auto found = calls_.find(event.from);
        const auto what = std::move(found->second);
        calls_.erase(found);
        return what();
    }
    if (event.kind == Kind::tick) {
        if (!node.adversary) return;
        events_.push(now_ms_ + node.adversary->tick_ms, event);
    }
    if (!node.mesh) return;  // frames to who is down are lost
    if ((node.frozen_until_ms > now_ms_ || node.lag_ms > 0) && postponed(node, event)) return;
    if (event.held && node.held > 0) --node.held;
    switch (event.kind) {
        case Kind::frame:
            if (node.adversary && !node.adversary->frame_in(*this, event.from, *event.frame)) {
                return;
            }
            node.mesh->receive(clock(node), nodes_[event.from].id, *event.frame);
            break;
        case Kind::wake:
            if (node.wake_at_ms != now_ms_) return;  // superseded
            node.wake_at_ms = 0;
            node.mesh->on_time(clock(node));
            break;
        case Kind::hint: node.mesh->peer_unreachable(clock(node), nodes_[event.from].id); break;
        case Kind::tick: node.adversary->tick(*this); break;
        case Kind::call: break;
    }
    carry_out(event.to);
}

void Simulator::step(Event& event) {
    ++events_done_;
    trace_ = mesh::mix(trace_ ^ static_cast<std::uint64_t>(now_ms_),
                       std::uint64_t{event.to} << 32U | event.from);
    if (event.frame) trace_ ^= hash_of(*event.frame);
    deliver(event);
}

void Simulator::seconds_until(std::int64_t end_ms) {
    for (; second_ms_ <= end_ms; second_ms_ += 1000) {
        now_ms_ = std::max(now_ms_, second_ms_);
        observer_->second();
    }
}

void Simulator::run_for(std::int64_t ms) {
    const auto end = now_ms_ + ms;
    Event event;
    std::int64_t at_ms = 0;
    while (events_.pop(end, at_ms, event)) {
        seconds_until(at_ms - 1);
        now_ms_ = at_ms;
        step(event);
    }
    seconds_until(end);
    now_ms_ = end;
}

std::optional<std::int64_t> Simulator::run_until(const std::function<bool()>& condition,
                                                 std::int64_t limit_ms, std::int64_t step_ms) {
    const auto start = now_ms_;
    while (!condition()) {
        if (now_ms_ - start >= limit_ms) return std::nullopt;
        run_for(step_ms);
    }
    return now_ms_ - start;
}

}  // namespace clarity::sim
