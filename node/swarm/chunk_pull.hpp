#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>

#include "node/swarm/origins.hpp"
#include "node/swarm/piece_builder.hpp"
#include "node/swarm/rate_limiter.hpp"

namespace clarity::swarm {

/// Pulls an artifact chunk by chunk: what other versions here have is read from them, the rest
/// comes from the repository in ranges, a few at once; frames of a compressed file are unpacked.
/// Each chunk is checked as it arrives, each piece before it is handed on. Goes on until the site
/// has every piece. A cut connection is taken up at the very byte. A server that ignores ranges is
/// read through once, up to the last byte of use.
///
/// run() blocks the fetch's thread; it starts threads for the requests and joins them.
class ChunkPull {
  public:
    struct Input {
        std::shared_ptr<const Manifest> manifest;
        const delta::Layout& layout;
        LocalChunks& local;
        Landing& landing;
        Origins& origins;
        const FetchSettings& settings;
        std::shared_ptr<FetchCounters> counters;
        std::shared_ptr<RateLimiter> limiter;
        std::function<void(const Error&)> on_warning;  ///< any of the threads
        std::function<void(const Error&)> on_out_of_reach;
    };
    explicit ChunkPull(Input input);
    ~ChunkPull();  ///< counts what is left over
    ChunkPull(const ChunkPull&) = delete;
    ChunkPull& operator=(const ChunkPull&) = delete;

    [[nodiscard]] Result<void> run(const std::stop_token& stop);

  private:
    struct Reader;

    Input in_;
    PieceBuilder builder_;
    std::atomic<bool> ranges_proven_{false};  ///< until then one request at a time
    std::mutex mutex_;                        ///< guards what follows
    std::condition_variable turned_;
    std::deque<delta::Range> queue_;
    std::size_t reading_ = 0;
    std::optional<Error> failure_;
    std::optional<Error> fatal_;
    std::set<std::uint32_t> postponed_;       ///< units that came wrong: asked for last
    std::map<std::uint32_t, Bytes> partial_;  ///< by unit: its first bytes
    std::size_t partial_source_ = 0;

    [[nodiscard]] bool plan_round();
    [[nodiscard]] Result<void> run_round(const std::stop_token& stop);
    void work(const std::stop_token& stop);
    [[nodiscard]] std::optional<delta::Range> next_range(const std::stop_token& stop);
    void read_range(const delta::Range& range, const std::stop_token& stop);
    [[nodiscard]] Bytes take_partial(std::uint32_t unit, std::size_t source);
    [[nodiscard]] Result<void> take_unit(std::uint32_t unit, std::string_view bytes);
    void refuse_unit(std::uint32_t unit, const Origins::Reading& reading, const Error& error);
    void fail_round(Error error);
    void prove_ranges();
    void count_unit(std::uint32_t unit, bool needed, bool right);
    [[nodiscard]] bool over() const;  ///< the round is to end; mutex_ held
};

}  // namespace clarity::swarm
