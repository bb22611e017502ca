#include "tests/sim/properties.hpp"

#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>

namespace clarity::sim {
namespace {

using mesh::State;

constexpr std::int64_t episode_ms = 30'000;
constexpr std::int64_t memory_interval_s = 5;
constexpr std::size_t returns_up_to = 128;  ///< nodes: looking into the dead costs O(N)
/// Who is late is asked again and again, and answers each time.
constexpr std::uint64_t late_factor = 4;
constexpr std::size_t pairs_max = 4'000'000;  ///< of whom versions are remembered

std::uint64_t hash_of(std::string_view bytes) {
    return std::hash<std::string_view>{}(bytes);
}

std::uint64_t pair_of(std::size_t a, std::size_t b) {
    return std::uint64_t{a} << 32U | b;
}

bool is_gone(State state) {
    return state == State::dead || state == State::left;
}

}  // namespace

std::size_t memory_in_use() {
    const auto info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

Properties::Properties(Simulator& sim, std::string replay)
    : sim_(sim),
      replay_(std::move(replay)),
      memory_before_(memory_in_use()),
      signed_(sim.size()),
      incarnations_(sim.size()),
      highest_(sim.size()),
      plans_(sim.size()),
      buried_ms_(sim.size(), -episode_ms),
      bytes_before_(sim.size()) {
    sim_.watch(this);
}

void Properties::fail(const std::string& what) const {
    throw Violation(fmt::format("at {:.3f} s: {}\n  replay: {}",
                                static_cast<double>(sim_.now_ms()) / 1000, what, replay_));
}

bool Properties::well(std::size_t i) const {
    const auto& node = sim_.node(i);
    return node.mesh && node.lag_ms == 0 && node.impaired_until_ms != for_ever &&
           node.impaired_until_ms + bounds.grace_ms <= sim_.now_ms();
}

bool Properties::credible(std::size_t i) const {
    const auto& node = sim_.node(i);
    return node.mesh && !node.adversary && node.frozen_until_ms <= sim_.now_ms() &&
           node.deaf_until_ms != for_ever && node.deaf_until_ms + bounds.grace_ms <= sim_.now_ms();
}

void Properties::started(std::size_t node, bool lost_disk) {
    std::erase_if(crashes_, [&](const Crash& crash) { return crash.node == node; });
    std::erase_if(held_, [&](const auto& each) { return each.first >> 32U == node; });
    std::erase_if(buried_at_, [&](const auto& each) {
        return each.first >> 32U == node || (each.first & 0xffffffffU) == node;
    });
    if (lost_disk) incarnations_[node] = plans_[node] = 0;
}

void Properties::crashed(std::size_t node) {
    crashes_.push_back({node, sim_.now_ms(), false});
}

void Properties::roster_given(std::size_t node) {
    std::erase_if(held_, [&](const auto& each) {
        return each.first >> 32U == node && !sim_.in_roster(node, each.first & 0xffffffffU);
    });
}

std::uint64_t Properties::incarnation_at(std::size_t observer, std::size_t subject) const {
    for (const auto& view : sim_.node(observer).mesh->members()) {
        if (view.id == name(subject)) return view.incarnation;
    }
    return 0;
}

/// A node that was slow or cut off may still bring news of a later incarnation: it is buried again.
void Properties::about_the_dead(std::size_t observer, const Crash& crash, State before,
                                State after) {
    const bool returns = is_gone(before) && !is_gone(after) && after != State::unknown;
    if (!returns && !is_gone(after)) return;
    auto& buried_at = buried_at_[pair_of(observer, crash.node)];
    if (sim_.size() > returns_up_to) {
        buried_at = 1;
        return;
    }
    const auto incarnation = incarnation_at(observer, crash.node);
    if (returns && sim_.now_ms() - crash.at_ms > bounds.grace_ms) {
        const bool real = bounds.ghosts || incarnation <= highest_[crash.node];
        if (incarnation <= buried_at || !real) {
            fail(
                fmt::format("{} holds {} for {} again, in incarnation {} after {}; it has been "
                            "down for {} ms and never went above {}",
                            name(observer), name(crash.node), name_of(after), incarnation,
                            buried_at, sim_.now_ms() - crash.at_ms, highest_[crash.node]));
        }
    }
    if (is_gone(after)) buried_at = incarnation;
}

void Properties::state_changed(std::size_t observer, std::size_t subject, State before,
                               State after) {
    if (sim_.node(observer).adversary) return;
    if (!sim_.in_roster(observer, subject)) {
        fail(fmt::format("{} has a state for {}, which its roster does not name", name(observer),
                         name(subject)));
    }
    const auto died = std::find_if(crashes_.begin(), crashes_.end(),
                                   [&](const Crash& crash) { return crash.node == subject; });
    if (died != crashes_.end()) return about_the_dead(observer, *died, before, after);
    if (!is_gone(after) || !sim_.in_roster(subject, subject) || !well(subject) ||
        !credible(observer) ||
        sim_.network().separated(sim_.now_ms(), bounds.grace_ms, observer, subject)) {
        return;
    }
    const bool episode = sim_.now_ms() - buried_ms_[subject] < episode_ms;
    buried_ms_[subject] = sim_.now_ms();
    if (episode) return;
    ++false_deaths_;
    if (bounds.false_deaths_per_node_hour == 0 && false_deaths_ > bounds.false_deaths_free) {
        fail(fmt::format("{} holds {} for {}, though both are well", name(observer), name(subject),
                         name_of(after)));
    }
}

void Properties::record_signed(std::size_t owner, RecordVersion version, const Bytes& bytes) {
    signed_[owner][version].insert(hash_of(bytes));
}

void Properties::record_received(std::size_t node, const mesh::RecordReceived& record) {
    const auto owner = sim_.index_of(record.owner);
    if (!owner || sim_.node(node).adversary) return;
    const auto say = [&](const char* what) {
        fail(fmt::format("{} stored a record of {}, version {}.{}, {}", name(node), record.owner,
                         record.version.incarnation, record.version.seq, what));
    };
    if (!sim_.in_roster(node, *owner)) say("which its roster does not name");
    if (!sim_.node(*owner).adversary) {
        const auto found = signed_[*owner].find(record.version);
        if (found == signed_[*owner].end() ||
            !found->second.contains(hash_of(record.record->bytes))) {
            say("which its owner has not signed");
        }
    }
    const auto key = pair_of(node, *owner);
    if (held_.size() >= pairs_max && !held_.contains(key)) return;
    auto& held = held_[key];
    if (record.version <= held) say("after a newer one");
    held = record.version;
}

void Properties::incarnation_stored(std::size_t node, std::uint64_t value) {
    if (value <= incarnations_[node]) {
        fail(fmt::format("{} stored incarnation {} after {}", name(node), value,
                         incarnations_[node]));
    }
    incarnations_[node] = value;
    highest_[node] = std::max(highest_[node], value);
}

void Properties::plan_in_force(std::size_t node, std::uint64_t before, std::uint64_t seq) {
    if (sim_.node(node).adversary) return;
    if (seq <= plans_[node] || before != plans_[node]) {
        fail(fmt::format("{} put plan {} in force after plan {}", name(node), seq, plans_[node]));
    }
    plans_[node] = seq;
}

void Properties::acted(std::size_t i) {
    const auto& node = sim_.node(i);
    if (node.mesh->incarnation() > node.disk.incarnation) {
        fail(fmt::format("{} uses incarnation {}, but has stored {}", node.id,
                         node.mesh->incarnation(), node.disk.incarnation));
    }
}

void Properties::second() {
    ++seconds_;
    node_ms_ += 1000.0 * static_cast<double>(sim_.up_count());
    check_crashes();
    if (seconds_ % 10 == 0) check_bytes();
    if (seconds_ % memory_interval_s == 0) check_memory();
}

bool Properties::must_see(std::size_t observer, const Crash& crash, std::int64_t since_ms) const {
    const auto& node = sim_.node(observer);
    return observer != crash.node && credible(observer) && node.started_ms < crash.at_ms &&
           node.impaired_until_ms < crash.at_ms && node.lag_ms == 0 &&
           !buried_at_.contains(pair_of(observer, crash.node)) &&  // it has, and has had news since
           !sim_.network().separated(sim_.now_ms(), since_ms, observer, crash.node) &&
           sim_.in_roster(observer, crash.node);
}

/// One that must see it by now, and holds it for alive or suspect.
std::optional<std::size_t> Properties::blind(const Crash& crash, std::int64_t since_ms) const {
    const auto& views = sim_.views();
    if (views.count(crash.node, State::alive) + views.count(crash.node, State::suspect) == 0) {
        return std::nullopt;
    }
    for (std::size_t i = 0; i < sim_.size(); ++i) {
        const auto state = views.at(i, crash.node);
        if (!is_gone(state) && state != State::unknown && sim_.up(i) &&
            must_see(i, crash, since_ms)) {
            return i;
        }
    }
    return std::nullopt;
}

void Properties::check_crashes() {
    const auto now = sim_.now_ms();
    for (auto& crash : crashes_) {
        if (crash.seen) continue;
        if (!blind(crash, 0)) {  // other parts of a broken network are not asked
            crash.seen = true;
            detections_.push_back(now - crash.at_ms);
        } else if (now - crash.at_ms >= bounds.detect_ms) {
            const auto i = blind(crash, bounds.detect_ms);
            if (!i) continue;  // excused until the network has been as it is for so long
            fail(fmt::format("{} still holds {} for {}, {} ms after its crash", name(*i),
                             name(crash.node), name_of(sim_.views().at(*i, crash.node)),
                             now - crash.at_ms));
        }
    }
}

void Properties::check_bytes() {
    const auto fresh = sim_.bytes_published() - published_before_.back();
    const auto each =
        bounds.bytes_per_10s_and_member + bounds.copies_of_records * sim_.settings().record_bytes;
    const auto limit =
        bounds.bytes_per_10s + bounds.copies_of_documents * fresh + each * sim_.size();
    std::rotate(published_before_.rbegin(), published_before_.rbegin() + 1,
                published_before_.rend());
    published_before_[0] = sim_.bytes_published();
    for (std::size_t i = 0; i < sim_.size(); ++i) {
        const auto sent = sim_.node(i).bytes_sent - bytes_before_[i];
        bytes_before_[i] = sim_.node(i).bytes_sent;
        if (sim_.node(i).adversary) continue;
        if (!well(i) && sent <= late_factor * limit) continue;
        most_bytes_ = std::max(most_bytes_, sent);
        if (sent > limit) {
            fail(fmt::format("{} sent {} bytes in 10 s; the budget is {}", name(i), sent, limit));
        }
    }
}

void Properties::check_memory() {
    const auto used = memory_in_use();
    if (used <= memory_before_) return;
    const auto each = (used - memory_before_) / sim_.size();
    most_memory_ = std::max<std::uint64_t>(most_memory_, each);
    const auto limit =
        bounds.memory_per_node + bounds.memory_per_node_and_member * std::uint64_t{sim_.size()};
    if (each > limit) {
        fail(fmt::format("{} bytes of memory a node; the budget is {}", each, limit));
    }
}

/// For whoever has to find out why: what lies behind two digests.
std::string Properties::difference_of(std::size_t a, std::size_t b) const {
    const auto& left = *sim_.node(a).mesh;
    const auto& right = *sim_.node(b).mesh;
    std::string out =
        fmt::format("{} and {} documents", left.offered().size(), right.offered().size());
    const auto mine = left.members();
    const auto theirs = right.members();
    for (std::size_t i = 0; i < std::min(mine.size(), theirs.size()); ++i) {
        if (mine[i].incarnation == theirs[i].incarnation && mine[i].state == theirs[i].state) {
            continue;
        }
        out += fmt::format(", {} {} in {} and {} in {}", mine[i].id, name_of(mine[i].state),
                           mine[i].incarnation, name_of(theirs[i].state), theirs[i].incarnation);
    }
    return out;
}

std::string Properties::disagreement_of(std::size_t a, std::size_t b) const {
    const auto& mine = sim_.node(a).mesh->records();
    const auto& theirs = sim_.node(b).mesh->records();
    for (const auto& [owner, record] : mine) {
        const auto other = theirs.find(owner);
        if (sim_.node(*sim_.index_of(owner)).adversary) continue;  // it may have signed two
        if (other && other->version == record.version && other->hash == record.hash) continue;
        return fmt::format("{} and {} have different records of {}", name(a), name(b), owner);
    }
    if (sim_.node(a).disk.plan_seq != sim_.node(b).disk.plan_seq) {
        return fmt::format("{} has plan {}, {} has plan {}", name(a), sim_.node(a).disk.plan_seq,
                           name(b), sim_.node(b).disk.plan_seq);
    }
    const auto same = sim_.node(a).mesh->state_digest() == sim_.node(b).mesh->state_digest();
    if (!same && !sim_.any_adversary()) {
        return fmt::format("{} and {} have different digests: {}", name(a), name(b),
                           difference_of(a, b));
    }
    return {};
}

std::string Properties::disagreement() const {
    std::size_t first = sim_.size();
    for (std::size_t i = 0; i < sim_.size(); ++i) {
        if (!sim_.up(i) || !sim_.honest(i) || !sim_.in_roster(i, i)) continue;
        for (std::size_t other = 0; other < sim_.size(); ++other) {
            if (other == i || !sim_.in_roster(i, other)) continue;
            const auto state = sim_.views().at(i, other);
            const bool right = sim_.up(other) ? state == State::alive : state != State::alive;
            const bool passing = bounds.accusers || sim_.network().settings.loss > 0.02;
            if (!right && !(passing && state == State::suspect)) {
                return fmt::format("{} holds {} for {}", name(i), name(other), name_of(state));
            }
        }
        if (first == sim_.size()) first = i;
        else if (auto what = disagreement_of(first, i); !what.empty()) return what;
        else if (what = disagreement_of(i, first); !what.empty()) return what;
    }
    return {};
}

std::int64_t Properties::converge() {
    sim_.heal();
    const auto took = sim_.run_until([&] { return disagreement().empty(); }, bounds.heal_ms, 100);
    if (!took) fail(fmt::format("{} ms after healing {}", bounds.heal_ms, disagreement()));
    return *took;
}

void Properties::finish() {
    const auto allowed = static_cast<double>(bounds.false_deaths_free) +
                         bounds.false_deaths_per_node_hour * node_hours();
    if (static_cast<double>(false_deaths_) > allowed) {
        fail(fmt::format("{} healthy nodes were held for dead in {:.2f} node-hours; {:.1f} allowed",
                         false_deaths_, node_hours(), allowed));
    }
}

}  // namespace clarity::sim
