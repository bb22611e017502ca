#pragma once

#include <utility>

#include <boost/asio/io_context.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "node/swarm/torrent.hpp"

namespace clarity::swarm {

/// Where the pieces of one artifact are, at one moment.
struct SiteMap {
    std::vector<bool> own;   ///< verified, on this node's disk
    std::vector<bool> held;  ///< some connected peer has it
    std::size_t peers = 0;   ///< connected
};

struct SessionSettings {
    std::string listen;  ///< numeric "ip:port" or "[ip6]:port"
    std::string certificate_pem;
    std::string private_key_pem;
    std::uint64_t seed = 0;  ///< differs between nodes: where a gate starts
    std::uint64_t upload_limit_bytes_s = 0;
    std::uint64_t download_limit_bytes_s = 0;
    std::uint32_t connections_max = 200;
    bool filter_addresses = true;
};

/// What libtorrent reports of a torrent once a second while it moves.
struct TorrentStats {
    std::vector<bool> own;             ///< empty while checking
    std::uint64_t received_bytes = 0;  ///< payload from peers since the torrent was added
    std::size_t peers = 0;
};

/// All on the loop.
struct SessionEvents {
    std::function<void(const Digest&, std::uint32_t piece)> on_piece;  ///< verified and written
    std::function<void(const Digest&, const TorrentStats&)> on_stats;
    std::function<void(const Digest&)> on_ready;  ///< added; pieces may be given to it
    /// Disk or torrent trouble; it is stopped until clear_trouble().
    std::function<void(const Digest&, const Error&)> on_trouble;
    /// The peer at this numeric address sent pieces with wrong hashes; libtorrent talks to it no
    /// more about this artifact.
    std::function<void(const Digest&, const std::string& address)> on_ban;
};

/// The one wrapper around a libtorrent session: TLS peers only, no DHT, no trackers, no peer
/// exchange. Calls do not block unless they say so; on the loop's thread unless they say so.
class TorrentSession {
  public:
    /// Takes the port; libtorrent itself, with its threads, starts with the first torrent. Does not
    /// block.
    [[nodiscard]] static Result<std::unique_ptr<TorrentSession>> start(
        boost::asio::io_context& loop, SessionSettings settings, SessionEvents events);
    /// Blocks until libtorrent's threads are gone.
    ~TorrentSession();

    /// The file is at `path` (its folder and name); pieces in `have` are trusted without a check.
    /// The first one starts libtorrent: some 30 ms, errors as of start(). `alone`: nobody else
    /// holds it whole, so its pieces are handed out from the start on, in the order in which they
    /// are hashed; several holders each start somewhere of their own.
    [[nodiscard]] Result<void> add(const Digest& sha256, const TorrentFile& torrent,
                                   const std::string& path, const std::vector<bool>& have,
                                   const std::vector<std::string>& endpoints, bool alone = false);
    void remove(const Digest& sha256);
    /// Dials these peers soon (libtorrent does it on its next tick).
    void dial(const Digest& sha256, const std::vector<std::string>& endpoints);
    /// Only these addresses may connect (when filter_addresses). Connections of others are cut.
    void allow(const std::vector<std::string>& endpoints);
    void clear_trouble(const Digest& sha256);
    /// An origin fetch of ours gives the torrent pieces that nobody else has: its gate hands them
    /// out (gate_plugin.hpp).
    void set_producing(const Digest& sha256, bool producing);
    /// Asks for on_stats of every torrent that changed.
    void ask_stats();
    [[nodiscard]] std::uint16_t port() const;

    /// For the fetch threads: a handle on one torrent that any thread may use.
    class Link {
      public:
        virtual ~Link() = default;
        /// Blocks on libtorrent's thread (short). Nothing when the torrent is gone or checking.
        [[nodiscard]] virtual std::optional<SiteMap> site() const = 0;
        /// Takes a verified piece and offers it to the peers. Asynchronous: site().own tells when
        /// it is on disk. A piece that is there already is dropped.
        virtual void add_piece(std::uint32_t piece, std::string_view bytes) = 0;
        /// The finished file was moved to the folder `folder`, its name unchanged: go on there.
        virtual void moved_to(const std::string& folder) = 0;
    };
    /// After on_ready only; null when the torrent is unknown.
    [[nodiscard]] std::shared_ptr<Link> link(const Digest& sha256) const;

  private:
    struct Impl;
    explicit TorrentSession(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;
};

}  // namespace clarity::swarm
