#include "node/swarm/landing.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>

#include "protocol/merkle.hpp"

namespace clarity::swarm {

namespace {
constexpr std::int64_t landing_max_ms = 30000;  ///< a piece not on disk by then is asked for again
}

std::int64_t steady_us() {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

bool pause_us(std::int64_t time_us, const std::stop_token& stop) {
    if (time_us <= 0) return !stop.stop_requested();
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock(mutex);
    wake.wait_for(lock, stop, std::chrono::microseconds(time_us), [] { return false; });
    return !stop.stop_requested();
}

Landing::Landing(std::shared_ptr<TorrentSession::Link> link,
                 std::shared_ptr<const Manifest> manifest, std::shared_ptr<FetchCounters> counters,
                 std::uint64_t unwritten_max_bytes)
    : link_(std::move(link)),
      manifest_(std::move(manifest)),
      counters_(std::move(counters)),
      unwritten_max_bytes_(unwritten_max_bytes) {}

bool Landing::refresh(std::int64_t age_max_ms) {
    const std::lock_guard lock(mutex_);
    const auto now = steady_us() / 1000;
    if (!site_.own.empty() && now - site_ms_ < age_max_ms) return true;
    auto site = link_->site();
    if (!site || site->own.size() != manifest_->piece_count()) return false;
    site_ = std::move(*site);
    site_ms_ = now;
    const auto landed = std::erase_if(in_flight_, [&](auto piece) { return site_.own[piece]; });
    if (landed > 0 || in_flight_.empty()) in_flight_ms_ = now;
    if (now - in_flight_ms_ > landing_max_ms) in_flight_.clear();
    return true;
}

SiteMap Landing::site() const {
    const std::lock_guard lock(mutex_);
    return site_;
}

std::set<std::uint32_t> Landing::in_flight() const {
    const std::lock_guard lock(mutex_);
    return in_flight_;
}

bool Landing::complete() const {
    const std::lock_guard lock(mutex_);
    return !site_.own.empty() &&
           std::find(site_.own.begin(), site_.own.end(), false) == site_.own.end();
}

bool Landing::at_site(std::uint32_t piece) const {
    const std::lock_guard lock(mutex_);
    return piece < site_.own.size() &&
           (site_.own[piece] || (piece < site_.held.size() && site_.held[piece]));
}

bool Landing::any_at_site() const {
    const std::lock_guard lock(mutex_);
    const auto any = [](const std::vector<bool>& pieces) {
        return std::find(pieces.begin(), pieces.end(), true) != pieces.end();
    };
    return any(site_.own) || any(site_.held);
}

bool Landing::lacks(std::uint32_t piece) const {
    if (at_site(piece)) return false;
    const std::lock_guard lock(mutex_);
    return !in_flight_.contains(piece);
}

bool Landing::put(std::uint32_t piece, std::string_view bytes) {
    {
        const std::lock_guard lock(mutex_);
        if ((piece < site_.own.size() && site_.own[piece]) || in_flight_.contains(piece)) {
            return true;
        }
    }
    if (!piece_matches(*manifest_, piece, bytes)) return false;
    link_->add_piece(piece, bytes);
    const std::lock_guard lock(mutex_);
    if (in_flight_.empty()) in_flight_ms_ = steady_us() / 1000;
    in_flight_.insert(piece);
    ++counters_->pieces;
    return true;
}

bool Landing::crowded() const {
    const std::lock_guard lock(mutex_);
    return std::uint64_t{in_flight_.size()} * manifest_->piece_size_bytes > unwritten_max_bytes_;
}

void Landing::await_disk(const std::stop_token& stop) {
    constexpr std::int64_t look_ms = 20;
    while (crowded()) {
        (void)refresh(look_ms);  // several threads may wait: one of them asks
        if (crowded() && !pause_us(look_ms * 1000, stop)) return;
    }
}

}  // namespace clarity::swarm
