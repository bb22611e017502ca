#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <stop_token>
#include <string_view>
#include <vector>

#include "node/swarm/fetch_types.hpp"
#include "node/swarm/session.hpp"
#include "protocol/manifest.hpp"

namespace clarity::swarm {

[[nodiscard]] std::int64_t steady_us();
/// Sleeps; false when asked to stop.
bool pause_us(std::int64_t time_us, const std::stop_token& stop);

/// Where a fetch's pieces go, and which ones the site still lacks: neither here nor at a peer nor
/// on its way to the disk. Asks the torrent now and then, which blocks on libtorrent's thread. Any
/// of the fetch's threads.
class Landing {
  public:
    Landing(std::shared_ptr<TorrentSession::Link> link, std::shared_ptr<const Manifest> manifest,
            std::shared_ptr<FetchCounters> counters, std::uint64_t unwritten_max_bytes);

    /// Asks when the last answer is older than that; false when the torrent cannot say.
    bool refresh(std::int64_t age_max_ms);
    /// The last answer, and what is on its way.
    [[nodiscard]] SiteMap site() const;
    [[nodiscard]] std::set<std::uint32_t> in_flight() const;
    [[nodiscard]] bool complete() const;  ///< every piece is here
    [[nodiscard]] bool at_site(std::uint32_t piece) const;
    [[nodiscard]] bool any_at_site() const;
    /// To be fetched or built.
    [[nodiscard]] bool lacks(std::uint32_t piece) const;

    /// Hands a piece to the torrent, which offers it to the peers; one that is here already is not
    /// written again. False: its hash is wrong, and it goes nowhere.
    [[nodiscard]] bool put(std::uint32_t piece, std::string_view bytes);
    /// Waits while too much is on its way to the disk.
    void await_disk(const std::stop_token& stop);

  private:
    std::shared_ptr<TorrentSession::Link> link_;
    std::shared_ptr<const Manifest> manifest_;
    std::shared_ptr<FetchCounters> counters_;
    std::uint64_t unwritten_max_bytes_;
    mutable std::mutex mutex_;
    SiteMap site_;
    std::int64_t site_ms_ = 0;
    std::set<std::uint32_t> in_flight_;
    std::int64_t in_flight_ms_ = 0;  ///< when one last landed

    [[nodiscard]] bool crowded() const;
};

}  // namespace clarity::swarm
