#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "protocol/mesh/random.hpp"
#include "tests/sim/calendar_queue.hpp"
#include "tests/sim/network.hpp"
#include "tests/sim/node.hpp"
#include "tests/sim/views.hpp"
#include "tests/sim/wire_meter.hpp"

/// Many production Mesh objects on one virtual clock and a seeded, faulty network: deterministic
/// simulation as FoundationDB does it (Zhou et al., SIGMOD 2021). One thread; the same seed gives
/// the same run, event for event (see trace()).
namespace clarity::sim {

struct SimulatorSettings {
    std::size_t nodes = 16;
    std::uint64_t seed = 1;
    NetworkSettings network;
    std::size_t record_bytes = 200;
    std::size_t record_owners = for_all;  ///< so many nodes sign a record
    bool hints = false;  ///< the transport notices a crash (peer_unreachable), as TCP resets do
    std::function<std::string(std::size_t)> site_of = [](std::size_t) { return "acme/dc-1"; };

    static constexpr std::size_t for_all = static_cast<std::size_t>(-1);
};

/// A document that was published, as every disk that has it holds it.
struct Published {
    mesh::DocumentAd ad;
    std::shared_ptr<const Bytes> body;
};

class Simulator {
  public:
    explicit Simulator(SimulatorSettings settings);

    [[nodiscard]] std::int64_t now_ms() const { return now_ms_; }
    [[nodiscard]] Node& node(std::size_t i) { return nodes_[i]; }
    [[nodiscard]] const Node& node(std::size_t i) const { return nodes_[i]; }
    [[nodiscard]] std::size_t size() const { return nodes_.size(); }
    [[nodiscard]] std::optional<std::size_t> index_of(std::string_view id) const;
    [[nodiscard]] mesh::Random& random() { return random_; }
    [[nodiscard]] Network& network() { return network_; }
    [[nodiscard]] const Network& network() const { return network_; }
    [[nodiscard]] const Views& views() const { return views_; }
    [[nodiscard]] const SimulatorSettings& settings() const { return settings_; }
    /// A hash of every event so far: two runs of one seed have the same.
    [[nodiscard]] std::uint64_t trace() const { return trace_; }
    [[nodiscard]] std::uint64_t events() const { return events_done_; }
    /// Of all documents so far, each once.
    [[nodiscard]] std::uint64_t bytes_published() const { return bytes_published_; }
    /// Told of everything from now on; none = nobody is.
    void watch(Observer* observer) { observer_ = observer == nullptr ? &nobody_ : observer; }
    /// Counts what is on the wire; none = stop.
    void meter(WireMeter* meter) { meter_ = meter; }

    /// Is told of each fault as it is made: the story of a run.
    std::function<void(std::int64_t now_ms, const std::string& what)> narrator;

    // ---- Processes and machines (simulator_faults.cpp) ---------------------------------------
    void start(std::size_t i);
    void start_all();
    /// As start_all() on a site that has run for long: everybody is told, in frames, that everybody
    /// is alive. For sites that are too large to watch their cold start.
    void warm_start();
    /// kill -9.
    void crash(std::size_t i);
    /// As after a power cut; with `lost_disk` it knows neither incarnation nor documents.
    void restart(std::size_t i, bool lost_disk = false);
    void leave(std::size_t i);
    /// The process stands still for so long, as under SIGSTOP: what comes in waits.
    void freeze(std::size_t i, std::int64_t ms);
    /// Everything happens `lag_ms` later than it should; 0 = well again.
    void slow_down(std::size_t i, std::int64_t lag_ms);
    /// Its monotonic clock, and so its timers, jump forward.
    void jump_clock(std::size_t i, std::int64_t ms);
    /// The network's set_mute() and set_deaf(), with the node marked as ill.
    void isolate(std::size_t i, bool mute, bool deaf);
    void partition(std::vector<int> group_of);
    /// One-way cut of a single link, as Network::cut().
    void cut(std::size_t from, std::size_t to);
    /// Network and machines are well from now on. Who is down stays down.
    void heal();
    /// The roster of everybody becomes these nodes, at each one within `spread_ms`.
    void set_roster(const std::vector<std::size_t>& members, std::int64_t spread_ms = 0);
    [[nodiscard]] bool in_roster(std::size_t observer, std::size_t subject) const;
    void corrupt(std::size_t i, std::unique_ptr<Adversary> adversary);
    /// Calls `what` at this time.
    void at(std::int64_t at_ms, std::function<void()> what);

    // ---- What they say ----------------------------------------------------------------------
    /// The node's record says something new.
    void update_record(std::size_t i, std::uint64_t payload);
    /// The node offers a document that nobody else has; returns its name.
    Digest publish(std::size_t i, const std::string& text);
    /// The node is given a plan that the coordinator signed.
    Digest publish_plan(std::size_t i, std::uint64_t seq, std::size_t size_bytes);
    /// A frame by hand, as if `from` had sent it.
    void inject(std::size_t from, std::size_t to, Bytes frame);
    /// As inject(), with the network's delay and loss.
    void send(std::size_t from, std::size_t to, Bytes frame);
    /// A record that passes verify_record.
    [[nodiscard]] static Bytes signed_record(const std::string& owner, RecordVersion version,
                                             std::uint64_t payload, std::size_t size_bytes);
    /// The body of a plan; forged = the coordinator has not signed it.
    [[nodiscard]] static Bytes plan_body(std::uint64_t seq, std::size_t size_bytes, bool forged);

    void run_for(std::int64_t ms);
    /// Runs until `condition` (checked each `step_ms`); the time it took, or none after `limit_ms`.
    std::optional<std::int64_t> run_until(const std::function<bool()>& condition,
                                          std::int64_t limit_ms, std::int64_t step_ms = 10);

    // ---- Questions about everybody that is up (simulator_questions.cpp) ----------------------
    [[nodiscard]] bool up(std::size_t i) const { return nodes_[i].mesh != nullptr; }
    [[nodiscard]] bool honest(std::size_t i) const { return nodes_[i].adversary == nullptr; }
    [[nodiscard]] bool any_adversary() const;
    [[nodiscard]] std::size_t up_count() const { return up_; }
    [[nodiscard]] mesh::State state_at(std::size_t observer, std::size_t subject) const;
    [[nodiscard]] bool all_see(std::size_t subject, mesh::State state) const;
    [[nodiscard]] bool all_see_all_alive() const;
    [[nodiscard]] bool all_have_record(std::size_t owner, std::uint64_t payload);
    [[nodiscard]] bool all_have_document(const Digest& digest) const;
    [[nodiscard]] std::size_t count_with_document(const Digest& digest) const;
    [[nodiscard]] std::uint64_t payload_at(std::size_t observer, std::size_t owner);
    [[nodiscard]] static std::uint64_t payload_of(std::string_view record);
    [[nodiscard]] mesh::Counters total() const;

  private:
    enum class Kind : std::uint8_t { frame, wake, hint, tick, call };
    struct Event {
        Kind kind = Kind::frame;
        bool delayed = false;  ///< it has waited for a slow node already
        bool held = false;     ///< it waits, or has waited, in the node's sockets
        std::uint32_t to = 0;
        std::uint32_t from = 0;  ///< call: which
        std::shared_ptr<const Bytes> frame;
    };
    SimulatorSettings settings_;
    mesh::Random random_;
    Network network_;
    std::int64_t now_ms_ = 1;
    std::int64_t second_ms_ = 1000;
    std::uint64_t trace_ = 0;
    std::uint64_t events_done_ = 0;
    std::uint64_t bytes_published_ = 0;
    std::vector<Node> nodes_;
    std::size_t up_ = 0;
    Views views_;
    struct Roster {
        std::shared_ptr<const mesh::Roll> roll;
        std::vector<bool> has;
    };
    std::vector<Roster> rosters_;
    std::unordered_map<std::string, Published> published_;  // by digest, raw
    std::unordered_map<std::uint64_t, std::weak_ptr<const mesh::StoredRecord>> records_;
    std::size_t prune_at_ = 1024;
    CalendarQueue<Event> events_;
    std::unordered_map<std::uint32_t, std::function<void()>> calls_;
    std::uint32_t next_call_ = 0;
    Observer nobody_;
    Observer* observer_ = &nobody_;
    WireMeter* meter_ = nullptr;

    [[nodiscard]] std::int64_t clock(const Node& node) const {
        return now_ms_ + node.clock_ahead_ms;
    }
    void tell(const std::string& what) {
        if (narrator) narrator(now_ms_, what);
    }
    void mark(Node& node);
    void sign_record(std::size_t i);
    /// One copy of a record for all nodes that hold it.
    [[nodiscard]] mesh::RecordPtr share(mesh::RecordPtr record);
    void give_roster(std::size_t i, std::size_t roster);
    void wake(std::size_t i);
    void step(Event& event);
    [[nodiscard]] bool postponed(Node& node, Event& event);
    void deliver(Event& event);
    void carry_out(std::size_t i);
    void carry_out_one(std::size_t i, mesh::Effect& effect);
    void take_ad(Node& node, const mesh::DocumentAd& ad);
    void take_document(std::size_t i, mesh::DocumentReceived& received);
    void offer(std::size_t i, const Published& document);
    void seconds_until(std::int64_t end_ms);
};

}  // namespace clarity::sim
