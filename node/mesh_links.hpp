#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "protocol/wire/wire.hpp"

namespace clarity {

/// What the links do to the outside: the wire, or a test.
struct LinkActions {
    /// Opens our own connection to a member, or moves it to another address.
    std::function<void(const std::string& member, const std::string& endpoint)> dial;
    std::function<void(const std::string& member)> hang_up;
    /// Over our own connection; over the one that the member opened.
    std::function<void(const std::string& member, Bytes frame)> send;
    std::function<void(const wire::Handle& to, Bytes frame)> reply;
    /// Closes a connection that a member opened.
    std::function<void(const wire::Handle& from)> cut;
    /// Where the member may be, the likeliest first.
    std::function<std::vector<std::string>(const std::string& member)> addresses;
    /// It was there.
    std::function<void(const std::string& member, const std::string& endpoint)> answered;
};

struct LinkSettings {
    std::string self;
    std::uint64_t seed = 1;
    /// How long the higher id leaves the first dial to the lower one. The shorter one where the
    /// other may not be there at all and nothing else is open: as soon as somebody has heard of us,
    /// the other hears of us too, and dials.
    std::int64_t patience_alive_ms = 1000;
    std::int64_t patience_unknown_ms = 300;
    /// To an address; twice that in round 2, then four times, and that at once to a sole address.
    std::int64_t dial_timeout_ms = 1500;
    /// Dials under way to others than the active peers: these are one guess of many, and whoever is
    /// up answers at once. So do active peers: dials to them count for as long as that may take.
    std::size_t guesses_max = 3;
    std::int64_t guess_after_ms = 400;
    std::int64_t backoff_min_ms = 300;    ///< after all addresses failed; doubles, with jitter
    std::int64_t backoff_max_ms = 4000;   ///< below the mesh's own tries at the dead: 5 s
    std::int64_t idle_close_ms = 15'000;  ///< of a connection beyond the active peers
    std::int64_t duplicate_close_ms = 1000;
    std::int64_t frame_keep_ms = 3000;    ///< a frame that waits for its connection
    std::size_t waiting_frames_max = 32;  ///< per member
    std::size_t waiting_bytes_max = 1U << 20;
};

/// Since the start; for the metrics.
struct LinkCounters {
    std::uint64_t dials = 0;
    std::uint64_t dials_failed = 0;  ///< nobody there in time
    std::uint64_t refused = 0;       ///< somebody is there who does not let us in, or is another
    std::uint64_t duplicates = 0;    ///< second connections of a pair, closed
    std::uint64_t idle_closed = 0;
    std::uint64_t dead_closed = 0;
    std::uint64_t unsent = 0;  ///< frames dropped for want of a connection
};

/// Which connections of the mesh are open: one per pair of members, whoever opened it, used both
/// ways. Decides and counts; LinkActions carry out. Sans-IO: time is an argument.
///
/// Rules. The lower id dials an active peer; the higher one dials when nothing came for a while and
/// it has something to send. Beyond the active peers, whoever has something to send dials. Where
/// both dialled, the higher id closes its own once the other one carries frames. What is idle
/// beyond the active peers is closed by who dialled it; what belongs to a dead member is closed at
/// once. An address that does not answer gives way to the next; when none did, the next round
/// waits, with jitter and a cap.
class MeshLinks {
  public:
    MeshLinks(LinkSettings settings, LinkActions actions);

    /// What the mesh thinks of a member, as far as it matters here.
    enum class Belief { unknown, alive, dead };

    /// Best effort: over what is open, or as soon as something is.
    void send(std::int64_t now_ms, const std::string& member, Bytes frame, Belief belief);
    /// The members to keep connections to.
    void set_active(std::int64_t now_ms, const std::vector<std::string>& members);

    void up(std::int64_t now_ms, const std::string& member);
    /// Each says whether nothing is open to the member any more, though it is an active peer: of
    /// others, who close what is idle, that says nothing, and asking them would open it again.
    bool down(std::int64_t now_ms, const std::string& member);
    bool refused(std::int64_t now_ms, const std::string& member);
    /// The active peer whose only connection this was, if it was one's.
    std::optional<std::string> lost(std::int64_t now_ms, const wire::Handle& handle);
    /// A frame came over our own connection, or over that one.
    void received(std::int64_t now_ms, const std::string& member);
    void received(std::int64_t now_ms, const std::string& member, const wire::Handle& from);

    /// Closes all that is open to a member: it is dead, revoked, or has another key.
    void close(const std::string& member, bool is_dead);
    void address_changed(std::int64_t now_ms, const std::string& member);

    void on_time(std::int64_t now_ms);
    /// When on_time() is due next; far away when nothing is under way.
    [[nodiscard]] std::int64_t deadline() const;

    [[nodiscard]] const LinkCounters& counters() const { return counters_; }
    /// Open connections, either way.
    [[nodiscard]] std::size_t connections() const;
    /// Members with any state here, in order.
    [[nodiscard]] std::vector<std::string> members() const;

  private:
    struct Outgoing {
        std::string endpoint;
        bool is_up = false;
        bool guess = false;  ///< see LinkSettings::guesses_max
        std::int64_t since_ms = 0;
        std::int64_t give_up_ms = 0;
    };
    struct Link {
        std::optional<Outgoing> out;
        std::optional<wire::Handle> in;
        std::deque<std::pair<std::int64_t, Bytes>> waiting;
        std::size_t waiting_bytes = 0;
        std::int64_t used_ms = 0;
        std::int64_t duplicate_ms = -1;  ///< since when our own connection is the second one
        std::int64_t dial_ms = -1;       ///< we leave it to the other until then, …
        std::int64_t dial_alone_ms = 0;  ///< … while nothing is open until then
        std::int64_t retry_ms = 0;       ///< no dial before
        std::size_t address = 0;         ///< of the round under way
        unsigned failures = 0;           ///< rounds in a row
    };

    LinkSettings settings_;
    LinkActions actions_;
    LinkCounters counters_;
    std::map<std::string, Link> links_;
    std::set<std::string> active_;
    std::minstd_rand random_;

    /// May another member that was never heard of be dialled now?
    [[nodiscard]] bool may_guess(std::int64_t now_ms) const;
    /// When it is our turn to dial a member that we leave to dial us.
    [[nodiscard]] std::int64_t our_turn_ms(const Link& link, bool alone) const;
    [[nodiscard]] bool we_dial(const std::string& member) const { return settings_.self < member; }
    void dial(std::int64_t now_ms, const std::string& member, Link& link, bool guess = false);
    void hang_up(const std::string& member, Link& link);
    /// The address under way did not answer: the next one, or a pause.
    void failed(std::int64_t now_ms, const std::string& member, Link& link);
    void wait(std::int64_t now_ms, Link& link, Bytes frame);
    void flush(std::int64_t now_ms, const std::string& member, Link& link);
    void drop_old(std::int64_t now_ms, Link& link);
    void step(std::int64_t now_ms, const std::string& member, Link& link);
    [[nodiscard]] std::int64_t jittered(std::int64_t ms);
    [[nodiscard]] static bool is_open(const Link& link) {
        return link.in.has_value() || (link.out && link.out->is_up);
    }
};

}  // namespace clarity
