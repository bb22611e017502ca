#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "protocol/bytes.hpp"

/// Frames between authenticated peers: ZeroMQ with CURVE, behind one thread that owns every socket.
namespace clarity::wire {

/// Runs a function on the owner's loop: `[&](auto f) { boost::asio::post(io, std::move(f)); }`.
/// Everything the wire reports comes through it.
using Post = std::function<void(std::function<void()>)>;

/// Limits; the defaults suit a small edge box.
struct Limits {
    int high_water_frames = 256;                         ///< per connection and direction
    std::int64_t frame_max_bytes = (256U << 10) + 1024;  ///< a longer one drops its connection
    std::size_t pending_frames = 4096;                   ///< handed to the owner, not yet run
    std::size_t pending_frames_per_user = 512;
    std::size_t pending_bytes = 32U << 20;
    std::size_t outgoing_frames = 8192;  ///< given to the wire, not yet sent
    std::size_t outgoing_bytes = 64U << 20;
    std::size_t unfinished_bytes = 4U << 20;  ///< of a message that does not end, per connection
    std::size_t waiting_frames = 64;          ///< per peer that is not connected yet
    int waiting_ms = 3000;                    ///< older frames are dropped rather than sent late
    int backoff_min_ms = 300;                 ///< to a new try after a peer refused us
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
};

struct Listener {
    std::uint32_t id = 0;
    std::string endpoint;  ///< with the real port
};

enum class PeerEvent {
    up,       ///< connected, its key proved
    down,     ///< cut; tried again by itself
    refused,  ///< it does not let us in; tried again later with backoff
    dropped,  ///< a frame could not be sent: slow or unreachable
};

struct ConnectSettings {
    std::string peer;      ///< own name for this connection
    std::string endpoint;  ///< "tcp://host:port"
    CurveKey server_key;
    std::function<void(Bytes frame)> on_frame;
    std::function<void(PeerEvent)> on_event;  ///< may be empty
    /// A peer that answers nothing for three of these is `down`. Each costs four packets. 0 = none:
    /// for who asks often by itself; TCP's keep-alive stays.
    int heartbeat_ms = 2000;
};

/// For the metrics; each only rises.
struct Counters {
    std::atomic<std::uint64_t> frames_in{0}, frames_out{0}, bytes_in{0}, bytes_out{0};
    std::atomic<std::uint64_t> dropped_full{0};          ///< a bounded queue was full
    std::atomic<std::uint64_t> dropped_slow{0};          ///< the peer takes no more
    std::atomic<std::uint64_t> dropped_unauthorised{0};  ///< key not (or no longer) known
    std::atomic<std::uint64_t> dropped_malformed{0};     ///< multipart
    std::atomic<std::uint64_t> connections_cut{0};       ///< revoked, or a message without end
    std::atomic<std::uint64_t> reconnects{0};            ///< sockets made anew after a refusal
    std::atomic<std::uint64_t> handshakes_refused{0};    ///< by us
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
    /// Adds a connection or replaces the one of that peer name if its endpoint or key changed.
    void connect(ConnectSettings settings);
    void disconnect(const std::string& peer);

    /// False when the frame was dropped at once: unknown peer name or full queue.
    bool send(const std::string& peer, Bytes frame);
    bool reply(const Handle& to, Bytes frame);
    /// Shuts one connection that came in; `on_lost` tells when it is gone.
    void cut(const Handle& handle);

    [[nodiscard]] const Counters& counters() const;

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
