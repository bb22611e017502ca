#include "tests/sim/simulator.hpp"

#include <algorithm>
#include <cstring>

#include "protocol/sha256.hpp"

namespace clarity::sim {
namespace {

using mesh::State;

std::uint64_t signature(const std::string& owner, RecordVersion version, std::string_view body) {
    return mesh::mix(mesh::mix(mesh::key_of(owner), mesh::key_of(body)),
                     mesh::mix(version.incarnation, version.seq));
}

bool verify(const std::string& owner, RecordVersion version, std::string_view bytes) {
    if (bytes.size() < 16) return false;
    std::uint64_t claimed = 0;
    std::memcpy(&claimed, bytes.data(), 8);
    return claimed == signature(owner, version, bytes.substr(8));
}

std::uint64_t payload_of(std::string_view bytes) {
    std::uint64_t out = 0;
    if (bytes.size() >= 16) std::memcpy(&out, bytes.data() + 8, 8);
    return out;
}

}  // namespace

Bytes Simulator::signed_record(const std::string& owner, RecordVersion version,
                               std::uint64_t payload, std::size_t size_bytes) {
    Bytes body(std::max<std::size_t>(size_bytes, 16) - 8, 'r');
    std::memcpy(body.data(), &payload, 8);
    const auto signed_by = signature(owner, version, body);
    Bytes out(reinterpret_cast<const char*>(&signed_by), 8);
    return out + body;
}

Simulator::Simulator(SimulatorSettings settings)
    : settings_(std::move(settings)), random_(settings_.seed) {
    nodes_.resize(settings_.nodes);
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        nodes_[i].id = fmt::format("n{:05}", i);
        nodes_[i].site = settings_.site_of(i);
        by_id_[nodes_[i].id] = i;
        roster_.push_back({nodes_[i].id});
    }
}

bool Simulator::chance(double p) {
    return p > 0 && static_cast<double>(random_.next() >> 11U) * 0x1.0p-53 < p;
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
    node.mesh = std::make_unique<mesh::Mesh>(std::move(s), node.stored_incarnation + 1);
    node.wake_at_ms = 0;
    node.mesh->set_members(now_ms_, roster_);
    sign_record(node);
    carry_out(i);
}

void Simulator::start_all() {
    for (std::size_t i = 0; i < nodes_.size(); ++i) start(i);
}

void Simulator::crash(std::size_t i) {
    nodes_[i].mesh.reset();
    if (!settings_.hints) return;
    for (std::size_t peer = 0; peer < nodes_.size(); ++peer) {
        if (!nodes_[peer].mesh) continue;
        const auto active = nodes_[peer].mesh->active_peers();
        if (std::find(active.begin(), active.end(), nodes_[i].id) == active.end()) continue;
        nodes_[peer].mesh->peer_unreachable(now_ms_, nodes_[i].id);
        carry_out(peer);
    }
}

void Simulator::restart(std::size_t i, bool lost_disk) {
    nodes_[i].mesh.reset();
    if (lost_disk) {
        nodes_[i].stored_incarnation = 0;
        nodes_[i].documents.clear();
    }
    start(i);
}

void Simulator::leave(std::size_t i) {
    nodes_[i].mesh->leave(now_ms_);
    carry_out(i);
    nodes_[i].mesh.reset();
}

void Simulator::set_roster(const std::vector<std::size_t>& members) {
    roster_.clear();
    for (const auto i : members) roster_.push_back({nodes_[i].id});
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        if (!nodes_[i].mesh) continue;
        nodes_[i].mesh->set_members(now_ms_, roster_);
        carry_out(i);
    }
}

void Simulator::sign_record(Node& node) {
    const auto version = node.mesh->next_version();
    node.mesh->set_own_record(
        now_ms_, version, signed_record(node.id, version, node.payload, settings_.record_bytes));
}

void Simulator::update_record(std::size_t i, std::uint64_t payload) {
    nodes_[i].payload = payload;
    sign_record(nodes_[i]);
    carry_out(i);
}

Digest Simulator::publish(std::size_t i, const std::string& text) {
    const mesh::DocumentAd ad{"plan", "site", 1, sha256(text), text.size()};
    nodes_[i].documents.insert(ad.digest);
    nodes_[i].mesh->offer(now_ms_, ad, text);
    carry_out(i);
    return ad.digest;
}

void Simulator::send(std::size_t from, const mesh::Send& send) {
    const auto to = by_id_.find(send.to);
    if (to == by_id_.end()) return;
    const bool cut = !group_of_.empty() && group_of_[from] != group_of_[to->second];
    if (cut || chance(settings_.loss)) return;
    const auto frame = std::make_shared<const Bytes>(send.frame);
    const int copies = chance(settings_.duplicates) ? 2 : 1;
    for (int n = 0; n < copies; ++n) {
        const auto range = static_cast<std::uint64_t>(settings_.delay_spread_ms) + 1;
        const auto spread = random_.below(range);
        const auto at = now_ms_ + settings_.delay_min_ms + static_cast<std::int64_t>(spread);
        events_.push({at, ++order_, to->second, from, frame});
    }
}

void Simulator::inject(std::size_t from, std::size_t to, Bytes frame) {
    auto shared = std::make_shared<const Bytes>(std::move(frame));
    events_.push({now_ms_ + 1, ++order_, to, from, std::move(shared)});
}

void Simulator::carry_out(std::size_t i) {
    auto& node = nodes_[i];
    // Effects may lead to calls that have effects: until there are none.
    for (auto effects = node.mesh->take_effects(); !effects.empty();
         effects = node.mesh->take_effects()) {
        for (auto& effect : effects) {
            if (auto* out = std::get_if<mesh::Send>(&effect)) {
                send(i, *out);
            } else if (auto* store = std::get_if<mesh::StoreIncarnation>(&effect)) {
                node.stored_incarnation = store->value;
            } else if (std::holds_alternative<mesh::RecordJump>(effect)) {
                ++node.jumps;
                sign_record(node);
            } else if (auto* seen = std::get_if<mesh::AdSeen>(&effect)) {
                node.mesh->want(now_ms_, seen->ad.digest);
            } else if (auto* got = std::get_if<mesh::DocumentReceived>(&effect)) {
                node.documents.insert(got->ad.digest);
                node.mesh->offer(now_ms_, got->ad, std::move(got->body));
            } else if (auto* twice = std::get_if<mesh::Equivocation>(&effect)) {
                node.equivocations.push_back(*twice);
            }
        }
    }
    const auto due = std::max(node.mesh->deadline(), now_ms_);
    if (node.wake_at_ms > now_ms_ && node.wake_at_ms <= due) return;
    node.wake_at_ms = due;
    events_.push({due, ++order_, i, i, nullptr});
}

void Simulator::deliver(const Event& event) {
    auto& node = nodes_[event.to];
    if (!node.mesh) return;
    if (event.frame) {
        node.mesh->receive(now_ms_, nodes_[event.from].id, *event.frame);
    } else {
        if (node.wake_at_ms != event.at_ms) return;  // superseded
        node.wake_at_ms = 0;
        node.mesh->on_time(now_ms_);
    }
    carry_out(event.to);
}

void Simulator::run_for(std::int64_t ms) {
    const auto end = now_ms_ + ms;
    while (!events_.empty() && events_.top().at_ms <= end) {
        const auto event = events_.top();
        events_.pop();
        now_ms_ = std::max(now_ms_, event.at_ms);
        deliver(event);
    }
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

State Simulator::state_at(std::size_t observer, std::size_t subject) {
    return nodes_[observer].mesh->state_of(nodes_[subject].id);
}

bool Simulator::all_see(std::size_t subject, State state) {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        if (i != subject && nodes_[i].mesh && state_at(i, subject) != state) return false;
    }
    return true;
}

bool Simulator::all_see_all_alive() {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        if (nodes_[i].mesh && !all_see(i, State::alive)) return false;
    }
    return true;
}

std::uint64_t Simulator::payload_at(std::size_t observer, std::size_t owner) {
    const auto& records = nodes_[observer].mesh->records();
    const auto found = records.find(nodes_[owner].id);
    return found ? payload_of(found->bytes) : 0;
}

bool Simulator::all_have_record(std::size_t owner, std::uint64_t payload) {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        if (nodes_[i].mesh && payload_at(i, owner) != payload) return false;
    }
    return true;
}

bool Simulator::all_have_document(const Digest& digest) {
    return std::all_of(nodes_.begin(), nodes_.end(), [&](const Node& node) {
        return !node.mesh || node.documents.contains(digest);
    });
}

mesh::Counters Simulator::total() const {
    mesh::Counters sum;
    for (const auto& node : nodes_) {
        if (!node.mesh) continue;
        const auto c = node.mesh->counters();
        sum.frames_sent += c.frames_sent;
        sum.bytes_sent += c.bytes_sent;
        sum.dropped_malformed += c.dropped_malformed;
        sum.dropped_site += c.dropped_site;
        sum.dropped_stranger += c.dropped_stranger;
        sum.records_refused += c.records_refused;
        sum.probes += c.probes;
        sum.probes_failed += c.probes_failed;
        sum.refutations += c.refutations;
        sum.local_health += c.local_health;
    }
    return sum;
}

}  // namespace clarity::sim
