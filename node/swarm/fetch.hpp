#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "node/swarm/fetch_plan.hpp"
#include "node/swarm/rate_limiter.hpp"
#include "node/swarm/session.hpp"
#include "protocol/plan.hpp"
#include "storage/repositories/repository.hpp"

namespace clarity::swarm {

/// A repository to read from, and the artifact's path in it.
struct FetchSource {
    RepositoryAccess access;
    std::string path;
};

struct FetchSettings {
    std::int64_t retry_min_ms = 500;
    std::int64_t retry_max_ms = 30000;
    std::int64_t peers_wait_ms = 3000;  ///< at the start, for those known to hold pieces
    std::uint64_t unwritten_max_bytes = 64U << 20;
    std::uint32_t wrong_max = 3;  ///< pieces of the origin that may fail their hash, all together
};

/// Written by the fetch thread, read by the loop. Outlives the fetch.
struct FetchCounters {
    std::atomic<std::uint64_t> wan_bytes{0};  ///< every body byte from the origin, for ever
    std::atomic<std::uint32_t> pieces{0};     ///< verified and handed on, this fetch
};

/// Called on the fetch thread: must only post.
struct FetchHooks {
    std::function<void(const Error&)> on_warning;     ///< it goes on; for status
    std::function<void(const Result<void>&)> on_end;  ///< the last call; cancelled when stopped
};

/// Pulls what the site lacks of one artifact from an origin, in a thread of its own: runs of
/// missing pieces in order, each piece checked against the manifest before it is handed to the
/// torrent, which offers it to the peers at once. What a peer holds is left to the swarm. A cut
/// connection is taken up at the very byte. Ends when every piece is here.
///
/// Rationale for asking the torrent from this thread: where the pieces are is libtorrent's to
/// know, and asking blocks on its thread, which the loop must not.
class Fetch {
  public:
    struct Input {
        std::shared_ptr<const Manifest> manifest;
        std::vector<FetchSource> sources;  ///< tried in order
        FetchSettings settings;
        std::size_t peers_expected = 0;  ///< alive peers that hold pieces: waited for at the start
        std::uint64_t seed = 0;          ///< of the jitter
        std::shared_ptr<TorrentSession::Link> link;
        std::shared_ptr<FetchCounters> counters;
        std::shared_ptr<RateLimiter> limiter;
    };

    Fetch(Input input, FetchHooks hooks);
    /// Joins: at once after on_end, else within about a second of stop().
    ~Fetch();
    void stop() { thread_.request_stop(); }

  private:
    struct Reader;

    Input in_;
    FetchHooks hooks_;
    std::vector<std::unique_ptr<Repository>> repositories_;
    std::vector<std::string> paths_;
    std::size_t source_ = 0;   ///< for the next request
    std::size_t reading_ = 0;  ///< of the running one
    std::string etag_;
    bool ranges_ignored_ = false;
    SiteMap site_;
    std::int64_t site_ms_ = 0;
    std::set<std::uint32_t> in_flight_;
    std::int64_t in_flight_ms_ = 0;  ///< when one last landed
    std::set<std::uint32_t> postponed_;
    std::uint32_t wrong_ = 0;
    std::optional<Error> wrong_error_;
    std::uint32_t failures_ = 0;  ///< in a row, without a byte
    Bytes partial_;               ///< bytes of piece partial_piece_ from its start
    std::uint32_t partial_piece_ = 0;
    std::jthread thread_;  ///< last: starts when all else is there

    void run(std::stop_token stop);
    [[nodiscard]] Result<void> pull(const std::stop_token& stop);
    [[nodiscard]] Result<void> open_sources();
    void await_peers(const std::stop_token& stop);
    [[nodiscard]] bool refresh(std::int64_t age_max_ms);
    [[nodiscard]] Result<void> read_run(const PieceRun& run, const std::stop_token& stop);
    [[nodiscard]] Result<void> after_failure(Error error, const std::stop_token& stop);
    void take_piece(std::uint32_t piece);
    void refuse_piece(std::uint32_t piece);
    void await_disk(const std::stop_token& stop);
    [[nodiscard]] std::uint64_t in_flight_bytes() const;
    [[nodiscard]] std::string what() const;  ///< "artifact@version"
};

}  // namespace clarity::swarm
