#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "protocol/bytes.hpp"
#include "protocol/wire/greeting.hpp"

/// Frames between authenticated peers: ZeroMQ with CURVE, behind one thread that owns every socket.
namespace clarity::wire {

/// Runs a function on the owner's loop: `[&](auto f) { boost::asio::post(io, std::move(f)); }`.
/// Everything the wire reports comes through it.
using Post = std::function<void(std::function<void()>)>;

/// Limits; the defaults suit a small edge box. What a peer is over, it loses frames or its
/// connection for; others are not touched.
struct Limits {
    std::int64_t frame_max_bytes = (256U << 10) + 1024;  ///< a longer one drops its connection
    int high_water_frames = 256;  ///< given to a connection, not yet on the network
    int unread_frames = 32;       ///< taken from a connection's network side, not yet read by us

    // Frames that wait for the owner's loop.
    std::size_t pending_frames = 4096;
    std::size_t pending_frames_per_user = 512;
    std::size_t pending_bytes = 24U << 20;
    std::size_t pending_bytes_per_user = 8U << 20;
    std::size_t flood_frames = 2048;  ///< a user's drops in flood_window_ms; then cut and barred
    int flood_window_ms = 10'000;
    int barred_ms = 10'000;

    // Frames of the owner's.
    std::size_t outgoing_frames = 8192;  ///< given to the wire, not yet to a connection
    std::size_t outgoing_bytes = 16U << 20;
    std::size_t unacknowledged_bytes = 8U << 20;  ///< sent to a user and not taken there
    std::size_t unacknowledged_total_bytes = 48U << 20;
    int stalled_ms = 15'000;          ///< a connection that takes nothing for so long is cut
    std::size_t waiting_frames = 64;  ///< per peer that is not connected yet
    int waiting_ms = 3000;            ///< older frames are dropped rather than sent late

    // Connections that come in.
    std::size_t unfinished_bytes = 4U << 20;  ///< of a message that does not end, per connection
    std::size_t unfinished_total_bytes = 16U << 20;
    std::size_t connections = 1024;
    std::size_t connections_per_user = 4;         ///< one more, and the longest silent is cut
    std::size_t asking_connections_per_user = 8;  ///< the same, of those that only ask
    std::size_t unproven_connections = 256;       ///< nothing heard from yet; the oldest is cut
    int first_frame_ms = 10'000;                  ///< heard by then, or cut
    double accepts_per_s_and_address = 32;        ///< more are cut before they cost a handshake
    double accepts_burst = 128;
    double handshakes_per_s_and_key = 2;
    double handshakes_burst = 16;

    // Connections that we open.
    int redial_min_ms = 300;  ///< to a new try after a connection ended or could not be made
    int redial_max_ms = 5000;
    int backoff_min_ms = 300;  ///< to a new try after a peer refused us
    int backoff_max_ms = 30'000;
};

struct Settings {
    CurveKey secret;  ///< own CURVE secret key (SigningKey::curve_secret())
    Post post;
    Limits limits = {};
};

/// Names one connection that came in, for replies. `key` is who is at its other end.
struct Handle {
    std::uint32_t listener = 0;
    Bytes route;   ///< ZeroMQ's automatic routing id; never a claim of the peer's
    CurveKey key;  ///< zero on a local socket
    auto operator<=>(const Handle&) const = default;
};

struct ListenSettings {
    std::string endpoint;  ///< "tcp://10.0.0.1:8472", port 0 = any free one; "ipc:///run/…/query"
    std::string setting = "listen";  ///< its name in the configuration, for messages
    bool curve = true;               ///< false for ipc:// only: the file's permission decides
    unsigned ipc_mode = 0660;
    /// `user` is the name that set_authorised() gives the key ("local" without CURVE), looked up
    /// again for every message.
    std::function<void(const std::string& user, const Handle& from, Bytes frame)> on_frame;
    /// That connection is gone: it was closed, or a reply could not be delivered. May be empty.
    std::function<void(const Handle&)> on_lost;
    /// With a site: a connection must begin with a greeting of that site, and gets this one back;
    /// else it is cut. Greetings do not reach on_frame.
    Greeting greeting = {};
    /// First bytes of frames that a connection may begin with instead of a greeting, and then has
    /// to stay with: questions.
    std::string ungreeted = {};
    /// TCP's own, for connections that vanished without a word: silent for so long, then probed.
    int keepalive_s = 30;
};

struct Listener {
    std::uint32_t id = 0;
    std::string endpoint;  ///< with the real port
};

enum class PeerEvent {
    up,       ///< connected, its key proved, its greeting heard if we greet
    down,     ///< cut; tried again by itself
    refused,  ///< it does not let us in, or is of another site; tried again with backoff
    dropped,  ///< a frame could not be sent: slow or unreachable
};

struct ConnectSettings {
    std::string peer;      ///< own name for this connection
    std::string endpoint;  ///< "tcp://host:port"
    CurveKey server_key;
    std::function<void(Bytes frame)> on_frame;
    std::function<void(PeerEvent)> on_event;  ///< may be empty
    /// ZeroMQ's: a peer that answers nothing for three of these is `down`. Each costs four packets;
    /// 0 = none, for who asks often by itself.
    int heartbeat_ms = 2000;
    /// With a site: said first, and the peer must answer with one of the same site.
    Greeting greeting = {};
    /// TCP's own, for a peer that vanished without a word: a connection silent for this long is
    /// probed every 10 s, and ends with the third probe that is not answered. 0 = never.
    int keepalive_s = 30;
    int keepalive_again_s = 10;  ///< between two such probes while none is answered
    /// What was sent and is not acknowledged for this long ends the connection. 0 = the system's
    /// (a quarter of an hour).
    int unacknowledged_ms = 20'000;
};

/// For the metrics; each only rises.
struct Counters {
    std::atomic<std::uint64_t> frames_in{0}, frames_out{0}, bytes_in{0}, bytes_out{0};
    std::atomic<std::uint64_t> dropped_full{0};          ///< a bounded queue was full
    std::atomic<std::uint64_t> dropped_slow{0};          ///< the peer takes no more
    std::atomic<std::uint64_t> dropped_unauthorised{0};  ///< key not (or no longer) known
    std::atomic<std::uint64_t> dropped_malformed{0};     ///< multipart, or of a refused connection
    std::atomic<std::uint64_t> connections_cut{0};    ///< by us: revoked, or over a limit, or below
    std::atomic<std::uint64_t> greetings_refused{0};  ///< another site, version, or none at all
    std::atomic<std::uint64_t> floods{0};             ///< users cut and barred for one
    std::atomic<std::uint64_t> reconnects{0};         ///< connections tried anew
    std::atomic<std::uint64_t> handshakes_refused{0};  ///< by us: key not known
    std::atomic<std::uint64_t> handshakes_limited{0};  ///< by us: too many of one key, or barred
};

/// What one user did wrong: those of the roster, by the name that set_authorised() gave, or
/// "to PEER" for connections that we opened.
struct Offences {
    std::uint64_t frames_dropped = 0;   ///< over its share
    std::uint64_t connections_cut = 0;  ///< endless message, nothing read, no greeting, flood, …
    std::uint64_t handshakes_refused = 0;  ///< over its budget
};

/// The transport of a daemon: make one and keep it. Methods may be called from any thread and never
/// block (listen() waits for the bind). Sends are best effort: a slow peer's frames are dropped and
/// counted; whoever needs more repeats (the mesh does).
class Wire {
  public:
    [[nodiscard]] static Result<std::unique_ptr<Wire>> start(Settings settings);
    /// Closes every socket without lingering. Nothing is posted once it returned.
    ~Wire();
    Wire(const Wire&) = delete;
    Wire& operator=(const Wire&) = delete;

    /// Binds. The error names endpoint, setting and what to do. Nobody is let in before
    /// set_authorised() (with CURVE).
    [[nodiscard]] Result<Listener> listen(ListenSettings settings);
    /// Who may talk to a listener, and under which name. Replaces the former list; connections of
    /// keys that are gone are cut, their frames dropped from now on.
    void set_authorised(std::uint32_t listener, std::map<CurveKey, std::string> users);
    /// Adds a connection or replaces the one of that peer name if anything but its functions
    /// changed.
    void connect(ConnectSettings settings);
    void disconnect(const std::string& peer);
    /// Another ConnectSettings::keepalive_s from now on, without a new connection.
    void set_keepalive(const std::string& peer, int keepalive_s);

    /// False when the frame was dropped at once: unknown peer name or full queue.
    bool send(const std::string& peer, Bytes frame);
    bool reply(const Handle& to, Bytes frame);
    /// Shuts one connection that came in; `on_lost` tells when it is gone.
    void cut(const Handle& handle);

    [[nodiscard]] const Counters& counters() const;
    /// Who offended, and how often; empty at a healthy site.
    [[nodiscard]] std::map<std::string, Offences> offences() const;

  private:
    struct Impl;
    explicit Wire(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

/// Asks once and waits: for the command line and tests.
struct AskSettings {
    std::string endpoint;  ///< "tcp://host:port" or "ipc://path"
    CurveKey server_key;   ///< zero for ipc
    CurveKey own_secret;   ///< zero for ipc
};

/// One frame there, one frame back. Errors: timeout (nobody answers), denied (the key is not let
/// in), network (no such host or socket).
[[nodiscard]] Result<Bytes> ask(const AskSettings& settings, std::string_view question,
                                int timeout_ms);

}  // namespace clarity::wire
