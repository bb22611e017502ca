#pragma once

#include <utility>

#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "node/swarm/wan_gate.hpp"
#include "protocol/manifest.hpp"
#include "protocol/plan.hpp"
#include "protocol/record.hpp"
#include "storage/cache/cache.hpp"

namespace clarity {

/// How this node takes part in its site's swarm. Everything has a default but the first block.
struct SwarmSettings {
    std::string server_id;
    std::string listen = "0.0.0.0:8473";  ///< numeric "ip:port" or "[ip6]:port"; port 0 = any free
    std::string state_dir;                ///< made when missing (0700); holds the byte counters
    std::string certificate_pem;          ///< this node's, from the site CA, SAN "DNS:*"
    std::string private_key_pem;          ///< PKCS#8 of the identity key
    std::string ca_pem;                   ///< the site CA: Roster::ca_pem; part of every infohash

    WanPolicy wan;                             ///< when, and how much a day
    std::uint64_t wan_rate_limit_bytes_s = 0;  ///< from origins, all fetches together; 0 = none
    std::uint64_t upload_limit_bytes_s = 0;    ///< to all peers together; 0 = none
    std::uint64_t download_limit_bytes_s = 0;  ///< from all peers together; 0 = none
    std::uint32_t connections_max = 200;
    std::uint32_t fetches_max = 2;                  ///< artifacts pulled from origins at once
    std::uint64_t unwritten_max_bytes = 64U << 20;  ///< pieces from an origin waiting for the disk

    std::int64_t fetch_delay_ms = 2000;   ///< election: rank r waits r times this for a claim
    std::int64_t hearing_ms = 3000;       ///< after a start: for the records of all the others
    std::int64_t fetch_stall_ms = 10000;  ///< a fetcher without progress for so long is passed over
    std::int64_t holder_patience_ms = 15000;  ///< a complete copy at the site that does not arrive
    std::uint64_t holder_rate_min_bytes_s = 64 << 10;  ///< slower than this is not arriving
    std::int64_t retry_min_ms = 500;  ///< after a cut connection; doubles, with jitter
    std::int64_t retry_max_ms = 10000;
    std::int64_t error_backoff_min_ms = 15000;  ///< after an error that was reported; doubles
    std::int64_t error_backoff_max_ms = 600000;
    std::int64_t unreachable_backoff_max_ms = 60000;  ///< the same where no origin answered
    std::int64_t slow_pass_ms = 600000;               ///< a fetcher that passed since it was slow
    std::uint64_t base_spares_min_bytes = 1U << 20;   ///< of the WAN, for a version to be borrowed
    std::int64_t base_patience_ms = 8000;  ///< without progress of it; less than fetch_stall_ms
    std::uint64_t base_rate_min_bytes_s = 1U << 20;  ///< slower than this it is not waited for
    /// Refuse every address that set_peers() does not name: a member struck off the roster keeps a
    /// valid certificate. Off only where peers reach each other through address translation.
    bool filter_addresses = true;
};

/// A member of the site, as the roster and the mesh know it.
struct SwarmPeer {
    std::string server_id;
    std::string hostname;
    std::string endpoint;                  ///< swarm, numeric "ip:port"
    bool alive = false;                    ///< dialled only then; the address is let in either way
    std::vector<std::string> others = {};  ///< where it may be too; dialled and let in likewise
};

/// What one server's newest record says, and whether the mesh holds it alive.
struct ServerClaims {
    bool alive = false;
    bool heard = true;  ///< false: it may be there, but its record has not come yet
    std::vector<Holding> holdings;
    std::vector<FetchClaim> claims;
    std::vector<FetchPass> passes = {};
    bool wan_closed = false;             ///< paused, out of hours, over its budget: passes all
    std::uint64_t wan_rate_bytes_s = 0;  ///< best it has measured; 0 = not yet

    /// What it says of one artifact; null when nothing.
    [[nodiscard]] const Holding* holding(const Digest& sha256) const {
        for (const auto& each : holdings) {
            if (each.sha256 == sha256) return &each;
        }
        return nullptr;
    }
    /// Whether it leaves that artifact to others; null when not.
    [[nodiscard]] const FetchPass* pass(const Digest& sha256) const {
        for (const auto& each : passes) {
            if (each.sha256 == sha256) return &each;
        }
        return nullptr;
    }
    [[nodiscard]] bool fetches(const Digest& sha256) const {
        return std::any_of(claims.begin(), claims.end(),
                           [&](const FetchClaim& each) { return each.sha256 == sha256; });
    }
};

/// The site as the election sees it: every known server (this one may be left out).
struct SiteClaims {
    std::map<std::string, ServerClaims> servers;  ///< by server id
};

/// All are called on the Asio loop, never from inside a call into Swarm. Any may be empty.
struct SwarmCallbacks {
    /// The whole file is at `path` (in the cache) and its SHA-256 was checked.
    std::function<void(const Digest& sha256, const std::string& path)> on_complete;
    /// Getting it failed for now; it goes on trying with a growing backoff. The message names
    /// artifact@version, and piece and repository where they are to blame.
    std::function<void(const Digest& sha256, const Error& error)> on_error;
    /// holdings() or claims() changed: time for a new record. Progress alone: at most every 2 s.
    std::function<void()> on_changed;
    /// Versions of an artifact whose signed manifests this server holds; to be answered at once, as
    /// an exception also from inside a call. Empty = no version is ever got as a base.
    std::function<std::vector<const Manifest*>(const std::string& artifact)> versions;
    /// Make room for a base, then call; on the loop.
    std::function<void(std::uint64_t bytes, std::function<void()> then)> make_room;
};

/// How this node's pulls from origins went about it, since it started.
struct FetchTotals {
    std::uint64_t delta_fetches = 0;  ///< chunk by chunk
    std::uint64_t whole_fetches = 0;  ///< the whole file, because the other would not pay
    std::uint64_t local_bytes = 0;    ///< taken from other versions in the cache instead
    std::uint64_t borrowed = 0;       ///< versions got from peers first, to pull less
    std::uint64_t passes = 0;         ///< artifacts left to the next in rank, each time
};

/// Gets artifacts to this node and passes them on: from peers of the site by BitTorrent v2 over
/// TLS, and, where the election says so, from the origin for the whole site, each verified piece
/// offered to the peers at once.
///
/// Owner: the agent. All functions are for the Asio loop's thread and do not block, save start()
/// (waits for the listening socket) and the destructor (joins the workers; may take a moment).
/// Threads of its own: libtorrent's, one for hashing and state files, one per running fetch.
class Swarm {
  public:
    /// Listens. Fails with one line when the port is taken or a certificate cannot be used.
    [[nodiscard]] static Result<std::unique_ptr<Swarm>> start(boost::asio::io_context& loop,
                                                              SwarmSettings settings,
                                                              ArtifactCache& cache,
                                                              SwarmCallbacks callbacks);
    ~Swarm();
    Swarm(const Swarm&) = delete;
    Swarm& operator=(const Swarm&) = delete;

    /// The members of the roster, on every change. Who is left out is refused from then on.
    void set_peers(std::vector<SwarmPeer> peers);
    /// On every record or liveness change. No fetch starts before the first call.
    void set_site(SiteClaims site);
    /// What of the origins this node may use. A node without the one an artifact needs passes on.
    void set_repositories(RepositorySet repositories);
    /// Running fetches stop, none starts, until then (0 = until resume_wan()); peers are served all
    /// the same. Outlives the process: `done` is called on the loop once it is on the disk.
    void pause_wan(std::int64_t until_unix_s, std::function<void(Result<void>)> done);
    void resume_wan(std::function<void(Result<void>)> done);
    /// How this node stands to its WAN; nothing to tell = no limits, nothing measured.
    [[nodiscard]] std::optional<WanReport> wan() const;

    /// Get it here. Again for the same artifact: only the candidates are renewed. What the cache
    /// holds is seeded and reported by on_complete at once.
    /// `candidates`: the servers that want it by the plan, the same on all of them: the election is
    /// among these. Empty = all members of the site.
    void want(const Manifest& manifest, std::string correlation_id,
              const std::vector<std::string>& candidates = {});
    /// Offer what the cache holds complete; does nothing when it does not.
    void seed(const Manifest& manifest);
    /// Stop getting and offering it, drop its counters. The cached file is the cache's business.
    void forget(const Digest& sha256);

    [[nodiscard]] std::vector<Holding> holdings() const;
    [[nodiscard]] std::vector<FetchClaim> claims() const;
    /// Which wanted artifacts this node leaves to others, and why.
    [[nodiscard]] std::vector<FetchPass> passes() const;
    [[nodiscard]] FetchTotals fetch_totals() const;
    /// Members that sent pieces with wrong hashes, and how often; each is shut out for an hour or
    /// longer.
    [[nodiscard]] std::map<std::string, std::uint64_t> offenders() const;
    /// Connected peers, all artifacts together; for metrics.
    [[nodiscard]] std::size_t connections() const;
    /// Where it listens (the settings' port, or the one chosen for port 0).
    [[nodiscard]] std::uint16_t port() const;

  private:
    class Impl;
    explicit Swarm(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;
};

}  // namespace clarity
