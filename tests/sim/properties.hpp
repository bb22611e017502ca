#pragma once

#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

#include "tests/sim/simulator.hpp"

namespace clarity::sim {

/// A property does not hold. The message says which, when, where, and how to see it again.
class Violation : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// What a run may cost, and how long things may take. A script loosens what its faults explain.
struct Bounds {
    /// A crash is seen by every well and honest node within this time.
    std::int64_t detect_ms = 7'000;
    /// After healing all nodes agree within this time.
    std::int64_t heal_ms = 30'000;
    /// So long after its trouble a node may still be taken for dead, or take others for dead.
    std::int64_t grace_ms = 10'000;
    /// Healthy nodes that a healthy node held for dead, per node and hour, and that many at least.
    double false_deaths_per_node_hour = 0;
    std::uint64_t false_deaths_free = 0;
    /// Mesh bytes that an honest node sends in any 10 s: a constant, and so much for each member,
    /// of whom a start or a partition's end has something to tell.
    std::uint64_t bytes_per_10s = 320U << 10;
    std::uint64_t bytes_per_10s_and_member = 3'000;
    std::uint64_t copies_of_records = 8;  ///< and a record of each member so often
    /// And so often what was published lately: all active peers may ask one node for it.
    std::uint64_t copies_of_documents = 12;
    /// Memory of the whole process for each node: a constant, and so much for each member.
    std::uint64_t memory_per_node = 1'500U << 10;
    std::uint64_t memory_per_node_and_member = 1'500;
    /// A member that lies may show a dead one alive for a while; nothing else may.
    bool ghosts = false;
    /// A member that accuses without end keeps its victims suspected, though never dead.
    bool accusers = false;
};

/// What must hold in every run, checked as it goes on from what nodes do, not from what they say
/// of themselves: throws Violation at once.
///
/// 1. No forged record is stored: each stored one was signed by its owner, byte for byte.
/// 2. No version goes back: of a record at any node, of an incarnation on a disk, of a plan in
///    force. A frame never carries an incarnation that is not stored.
/// 3. Nothing deleted returns: who is out of the roster has neither state nor record; who is dead
///    stays dead until it starts, but for news of a later incarnation that it really had.
/// 4. Every crash is seen by all within a bound.
/// 5. No healthy node is held for dead by a healthy one, beyond a rate; whatever a sick or
///    malicious third one does.
/// 6. Bytes and memory stay within a budget, storms included.
/// 7. After healing all agree on everything within a bound (converge()).
class Properties : public Observer {
  public:
    Properties(Simulator& sim, std::string replay);
    ~Properties() override { sim_.watch(nullptr); }
    Properties(const Properties&) = delete;
    Properties& operator=(const Properties&) = delete;

    Bounds bounds;

    /// Heals all faults and checks that the site becomes of one mind; the time it took.
    std::int64_t converge();
    /// What can only be said at the end.
    void finish();
    [[noreturn]] void fail(const std::string& what) const;

    [[nodiscard]] double node_hours() const { return node_ms_ / 3'600'000.0; }
    /// Episodes: several observers of one mistake, or one observer several times in 30 s, are one.
    [[nodiscard]] std::uint64_t false_deaths() const { return false_deaths_; }
    /// From each crash to the last node that saw it.
    [[nodiscard]] const std::vector<std::int64_t>& detections() const { return detections_; }
    [[nodiscard]] std::uint64_t most_bytes_per_10s() const { return most_bytes_; }
    [[nodiscard]] std::uint64_t most_memory() const { return most_memory_; }
    /// Is this node well, so that others must see it alive / can it be trusted in what it sees?
    [[nodiscard]] bool well(std::size_t subject) const;
    [[nodiscard]] bool credible(std::size_t observer) const;

    void started(std::size_t node, bool lost_disk) override;
    void crashed(std::size_t node) override;
    void roster_given(std::size_t node) override;
    void state_changed(std::size_t observer, std::size_t subject, mesh::State before,
                       mesh::State after) override;
    void record_signed(std::size_t owner, RecordVersion version, const Bytes& bytes) override;
    void record_received(std::size_t node, const mesh::RecordReceived& record) override;
    void incarnation_stored(std::size_t node, std::uint64_t value) override;
    void plan_in_force(std::size_t node, std::uint64_t before, std::uint64_t seq) override;
    void acted(std::size_t node) override;
    void second() override;

  private:
    struct Crash {
        std::size_t node;
        std::int64_t at_ms;
        bool seen = false;
    };
    Simulator& sim_;
    std::string replay_;
    std::size_t memory_before_;
    std::vector<std::map<RecordVersion, std::set<std::uint64_t>>> signed_;  // hashes, by owner
    std::unordered_map<std::uint64_t, RecordVersion> held_;                 // by observer and owner
    std::vector<std::uint64_t> incarnations_;                               // on each disk
    std::vector<std::uint64_t> highest_;                                    // that each ever used
    std::unordered_map<std::uint64_t, std::uint64_t> buried_at_;            // incarnation, by pair
    std::vector<std::uint64_t> plans_;
    std::vector<Crash> crashes_;
    std::vector<std::int64_t> detections_;
    std::vector<std::int64_t> buried_ms_;  // last false death of each
    std::uint64_t false_deaths_ = 0;
    double node_ms_ = 0;
    std::vector<std::uint64_t> bytes_before_;
    std::array<std::uint64_t, 3> published_before_{};  // 10, 20 and 30 s ago
    std::uint64_t most_bytes_ = 0;
    std::uint64_t most_memory_ = 0;
    std::int64_t seconds_ = 0;

    void about_the_dead(std::size_t observer, const Crash& crash, mesh::State before,
                        mesh::State after);
    [[nodiscard]] std::uint64_t incarnation_at(std::size_t observer, std::size_t subject) const;
    [[nodiscard]] std::string name(std::size_t node) const { return sim_.node(node).id; }
    void check_crashes();
    void check_bytes();
    void check_memory();
    [[nodiscard]] bool must_see(std::size_t observer, const Crash& crash,
                                std::int64_t since_ms) const;
    [[nodiscard]] std::optional<std::size_t> blind(const Crash& crash, std::int64_t since_ms) const;
    [[nodiscard]] std::string disagreement() const;
    [[nodiscard]] std::string difference_of(std::size_t a, std::size_t b) const;
    [[nodiscard]] std::string disagreement_of(std::size_t a, std::size_t b) const;
};

/// Bytes that the process has allocated; 0 where that cannot be told (sanitizers).
[[nodiscard]] std::size_t memory_in_use();

}  // namespace clarity::sim
