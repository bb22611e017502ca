#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <queue>
#include <set>
#include <string>
#include <vector>

#include "protocol/mesh/mesh.hpp"
#include "protocol/mesh/random.hpp"

/// Many production Mesh objects on one virtual clock and a seeded, faulty network.
namespace clarity::sim {

struct SimulatorSettings {
    std::size_t nodes = 16;
    std::uint64_t seed = 1;
    double loss = 0;        ///< of each frame
    double duplicates = 0;  ///< of each frame
    std::int64_t delay_min_ms = 1;
    std::int64_t delay_spread_ms = 5;  ///< uniform on top of it: frames overtake each other
    std::size_t record_bytes = 200;
    bool hints = false;  ///< the transport notices a crash (peer_unreachable), as TCP resets do
    std::function<std::string(std::size_t)> site_of = [](std::size_t) { return "acme/dc-1"; };
};

/// A server: what is on its disk outlives the Mesh object.
struct Node {
    std::string id;
    std::string site;
    std::unique_ptr<mesh::Mesh> mesh;  ///< none = down
    std::uint64_t stored_incarnation = 0;
    std::uint64_t payload = 0;  ///< what its record says
    std::set<Digest> documents;
    std::vector<mesh::Equivocation> equivocations;
    std::uint64_t jumps = 0;
    std::int64_t wake_at_ms = 0;
};

class Simulator {
  public:
    explicit Simulator(SimulatorSettings settings);

    [[nodiscard]] std::int64_t now_ms() const { return now_ms_; }
    [[nodiscard]] Node& node(std::size_t i) { return nodes_[i]; }
    [[nodiscard]] std::size_t size() const { return nodes_.size(); }
    [[nodiscard]] mesh::Random& random() { return random_; }

    void start(std::size_t i);
    void start_all();
    /// kill -9.
    void crash(std::size_t i);
    /// As after a power cut; with `lost_disk` it knows neither incarnation nor documents.
    void restart(std::size_t i, bool lost_disk = false);
    void leave(std::size_t i);
    /// The roster of everybody becomes these nodes.
    void set_roster(const std::vector<std::size_t>& members);
    /// Frames pass only between nodes of equal group; empty = no partition.
    void partition(std::vector<int> group_of) { group_of_ = std::move(group_of); }
    void set_loss(double loss) { settings_.loss = loss; }

    /// The node's record says something new.
    void update_record(std::size_t i, std::uint64_t payload);
    /// The node offers a document that nobody else has; returns its name.
    Digest publish(std::size_t i, const std::string& text);
    /// A frame by hand, as if `from` had sent it.
    void inject(std::size_t from, std::size_t to, Bytes frame);
    /// A record that passes verify_record.
    [[nodiscard]] static Bytes signed_record(const std::string& owner, RecordVersion version,
                                             std::uint64_t payload, std::size_t size_bytes);

    void run_for(std::int64_t ms);
    /// Runs until `condition` (checked each `step_ms`); the time it took, or none after `limit_ms`.
    std::optional<std::int64_t> run_until(const std::function<bool()>& condition,
                                          std::int64_t limit_ms, std::int64_t step_ms = 10);

    // ---- Questions about everybody that is up -----------------------------------------------
    [[nodiscard]] mesh::State state_at(std::size_t observer, std::size_t subject);
    [[nodiscard]] bool all_see(std::size_t subject, mesh::State state);
    [[nodiscard]] bool all_see_all_alive();
    [[nodiscard]] bool all_have_record(std::size_t owner, std::uint64_t payload);
    [[nodiscard]] bool all_have_document(const Digest& digest);
    [[nodiscard]] std::uint64_t payload_at(std::size_t observer, std::size_t owner);
    [[nodiscard]] mesh::Counters total() const;

  private:
    struct Event {
        std::int64_t at_ms;
        std::uint64_t order;
        std::size_t to;
        std::size_t from;  // == to: wake up
        std::shared_ptr<const Bytes> frame;
        bool operator>(const Event& other) const {
            return at_ms != other.at_ms ? at_ms > other.at_ms : order > other.order;
        }
    };
    SimulatorSettings settings_;
    mesh::Random random_;
    std::int64_t now_ms_ = 1;
    std::uint64_t order_ = 0;
    std::vector<Node> nodes_;
    std::map<std::string, std::size_t, std::less<>> by_id_;
    std::vector<mesh::MemberSpec> roster_;
    std::vector<int> group_of_;
    std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;

    void sign_record(Node& node);
    void deliver(const Event& event);
    void carry_out(std::size_t i);
    void send(std::size_t from, const mesh::Send& send);
    [[nodiscard]] bool chance(double p);
};

}  // namespace clarity::sim
