#pragma once

// Private to this folder: names libtorrent's types.
#include <libtorrent/extensions.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace clarity::swarm {

/// What the loop and the fetch thread share with a torrent's gate on libtorrent's thread.
class GateControl {
  public:
    std::atomic<bool> producing{false};    ///< an origin fetch of ours is under way
    std::atomic<std::uint64_t> offers{0};  ///< pieces handed to one peer first

    /// Which pieces some connected peer holds, seen by us or not: libtorrent knows of those alone
    /// that a gating peer has offered. Any thread.
    [[nodiscard]] std::vector<bool> held() const {
        const std::lock_guard lock(mutex_);
        return held_;
    }
    void set_held(std::uint32_t piece, bool held) {
        const std::lock_guard lock(mutex_);
        if (held_.size() <= piece) held_.resize(piece + 1U);
        held_[piece] = held;
    }

  private:
    mutable std::mutex mutex_;
    std::vector<bool> held_;
};

/// The gate (see Gate) on a torrent's connections, through libtorrent's extension interface.
///
/// A node gates while it produces (pulls from an origin), or from its start when it holds the whole
/// file, until its pieces are spread. It says so in the extension handshake ("clr_g": 1) or by a
/// message; the other end then hides from its libtorrent which pieces we hold until we offer them:
/// extended message "clr_gate", one byte kind (0 open, 1 gating, 2 offer followed by the piece as
/// big-endian u32), after an offer an ordinary HAVE. On opening, HAVEs for all that was held back.
///
/// `have`: what is on disk now. Belongs to libtorrent's network thread.
[[nodiscard]] std::shared_ptr<lt::torrent_plugin> make_gate_plugin(
    std::uint32_t piece_bytes, const std::vector<bool>& have, std::uint64_t seed,
    std::shared_ptr<GateControl> control);

}  // namespace clarity::swarm
