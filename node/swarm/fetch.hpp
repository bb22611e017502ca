#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "node/swarm/chunk_pull.hpp"
#include "node/swarm/fetch_plan.hpp"
#include "node/swarm/origins.hpp"
#include "node/swarm/rate_limiter.hpp"

namespace clarity::swarm {

/// Called on the fetch's threads: must only post.
struct FetchHooks {
    std::function<void(const FetchPlan&)> on_plan;  ///< before the first byte
    std::function<void(const Error&)> on_warning;   ///< it goes on; for status
    /// No repository answers from here: it goes on trying, but another server may do better.
    std::function<void(const Error&)> on_out_of_reach;
    std::function<void(const Result<void>&)> on_end;  ///< the last call; cancelled when stopped
};

/// Pulls what the site lacks of one artifact from an origin, in a thread of its own, each piece
/// checked against the manifest before it is handed to the torrent, which offers it to the peers
/// at once. What a peer holds is left to the swarm. A cut connection is taken up at the very byte;
/// a server that ignores ranges is read through once. Ends when every piece is here. Waits while
/// the day's budget is used up, until it is stopped.
///
/// Two ways: chunk by chunk (ChunkPull), where other versions are here or the file is stored
/// compressed; else runs of missing pieces in order, each as one request.
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
        const ArtifactCache* cache = nullptr;  ///< other versions are looked for there
    };

    Fetch(Input input, FetchHooks hooks);
    /// Joins: at once after on_end, else within about a second of stop().
    ~Fetch();
    void stop() { thread_.request_stop(); }

  private:
    struct Reader;

    Input in_;
    FetchHooks hooks_;
    Origins origins_;
    Landing landing_;
    std::set<std::uint32_t> postponed_;
    Bytes partial_;  ///< bytes of piece partial_piece_ from its start
    std::uint32_t partial_piece_ = 0;
    std::jthread thread_;  ///< last: starts when all else is there

    void run(const std::stop_token& stop);
    void await_peers(const std::stop_token& stop);
    void drop_partial();
    [[nodiscard]] std::optional<PieceRun> next() const;
    [[nodiscard]] Result<void> pull(const std::stop_token& stop);
    [[nodiscard]] Result<void> pull_whole(const std::stop_token& stop);
    [[nodiscard]] Result<void> read_run(const PieceRun& run, const std::stop_token& stop);
    [[nodiscard]] Result<void> after_failure(const Error& error, const std::stop_token& stop);
    void take_piece(std::uint32_t piece, const Origins::Reading& reading);
    [[nodiscard]] std::string what() const;  ///< "artifact@version"
};

/// Which way to go about it, from what of the artifact is here.
[[nodiscard]] FetchPlan plan_fetch(const delta::Layout& layout, const LocalChunks& local);

}  // namespace clarity::swarm
