#include "node/swarm/gate.hpp"

#include <algorithm>

namespace clarity::swarm {

namespace {

/// How far into the queue a piece is looked for that a peer lacks.
constexpr std::size_t look_ahead = 128;
/// A peer is passed over when it confirms nothing for so many times its usual pace.
constexpr std::int64_t slow_factor = 4;

}  // namespace

Gate::Gate(std::uint32_t pieces, std::uint32_t piece_bytes, std::uint64_t seed,
           GateSettings settings)
    : settings_(settings),
      piece_bytes_(std::max<std::uint32_t>(piece_bytes, 1)),
      first_(pieces == 0 ? 0 : static_cast<std::uint32_t>(seed % pieces)),
      pieces_(pieces) {}

void Gate::enqueue(std::uint32_t piece, bool first) {
    auto& at = pieces_[piece];
    if (!at.own || at.queued) return;
    at.queued = true;
    if (first) queue_.push_front(piece);
    else queue_.push_back(piece);
}

void Gate::own(std::uint32_t piece) {
    if (piece >= pieces_.size() || pieces_[piece].own) return;
    pieces_[piece].own = true;
    if (pieces_[piece].copies == 0) enqueue(piece, false);
}

void Gate::own(const std::vector<bool>& have) {
    // Each holder starts somewhere of its own, so that two of them do not hand out the same.
    const auto count = static_cast<std::uint32_t>(std::min(have.size(), pieces_.size()));
    for (std::uint32_t n = 0; n < count; ++n) {
        const auto piece = (first_ + n) % count;
        if (have[piece]) own(piece);
    }
}

void Gate::add_peer(Peer peer, std::int64_t now_ms) {
    auto& state = peers_[peer];
    state.has.assign(pieces_.size(), false);
    state.progress_ms = now_ms;
}

void Gate::remove_peer(Peer peer) {
    const auto at = peers_.find(peer);
    if (at == peers_.end()) return;
    withdraw(at->second);
    for (std::uint32_t i = 0; i < pieces_.size(); ++i) {
        if (!at->second.has[i]) continue;
        if (--pieces_[i].copies == 0 && pieces_[i].offered == 0) enqueue(i, true);
    }
    peers_.erase(at);
}

void Gate::withdraw(PeerState& state) {
    for (const auto& [piece, since] : state.under_way) {
        auto& at = pieces_[piece];
        if (--at.offered == 0 && at.copies == 0) enqueue(piece, true);
    }
    state.under_way.clear();
}

void Gate::peer_has(Peer peer, std::uint32_t piece, std::int64_t now_ms) {
    const auto at = peers_.find(peer);
    if (at == peers_.end() || piece >= pieces_.size() || at->second.has[piece]) return;
    auto& state = at->second;
    state.has[piece] = true;
    ++state.count;
    if (++pieces_[piece].copies == 1) pieces_[piece].copied_ms = now_ms;
    // Any progress shows that it lives, also with pieces of other peers.
    const auto took = now_ms - state.progress_ms;
    state.pace_ms = state.pace_ms == 0 ? took : (state.pace_ms * 7 + took) / 8;
    state.progress_ms = now_ms;
    state.stalled = false;
    if (state.under_way.erase(piece) > 0) --pieces_[piece].offered;
}

std::uint32_t Gate::window() const {
    const auto lacking = std::count_if(peers_.begin(), peers_.end(), [&](const auto& row) {
        return row.second.count < pieces_.size();
    });
    const auto share =
        settings_.window_bytes / std::max<std::uint64_t>(static_cast<std::uint64_t>(lacking), 1);
    const auto whole = (share + piece_bytes_ / 2) / piece_bytes_;
    return static_cast<std::uint32_t>(
        std::clamp<std::uint64_t>(whole, settings_.window_min, settings_.window_max));
}

bool Gate::offer_next(PeerState& state, Peer peer, std::int64_t now_ms, std::vector<Offer>& out) {
    const auto end = std::min(queue_.size(), look_ahead);
    for (std::size_t n = 0; n < end; ++n) {
        const auto piece = queue_[n];
        if (state.has[piece] || state.under_way.contains(piece)) continue;
        queue_.erase(queue_.begin() + static_cast<std::ptrdiff_t>(n));
        pieces_[piece].queued = false;
        ++pieces_[piece].offered;
        if (state.under_way.empty()) state.progress_ms = now_ms;  // its time starts now
        state.under_way.emplace(piece, now_ms);
        out.push_back({peer, piece});
        return true;
    }
    return false;
}

/// What all peers came with needs no offer: it would stand before what they lack, for ever.
void Gate::drop_spread() {
    if (queue_.size() <= look_ahead) return;
    const auto enough = std::min<std::size_t>(settings_.copies_min, peers_.size());
    std::erase_if(queue_, [&](std::uint32_t piece) {
        const bool spread = enough > 0 && pieces_[piece].copies >= enough;
        if (spread) pieces_[piece].queued = false;
        return spread;
    });
}

std::vector<Gate::Offer> Gate::take_offers(std::int64_t now_ms) {
    std::vector<Offer> out;
    const auto most = window();
    std::vector<std::pair<Peer, PeerState*>> ready;
    for (auto& [peer, state] : peers_) {
        if (state.count < pieces_.size()) ready.emplace_back(peer, &state);
    }
    while (!queue_.empty() && !ready.empty()) {
        const auto fewest = std::min_element(ready.begin(), ready.end(), [](auto& a, auto& b) {
            return a.second->under_way.size() < b.second->under_way.size();
        });
        const auto allowed = fewest->second->stalled ? 1 : most;
        if (fewest->second->under_way.size() >= allowed ||
            !offer_next(*fewest->second, fewest->first, now_ms, out)) {
            ready.erase(fewest);
        }
    }
    return out;
}

std::int64_t Gate::patience_ms(const PeerState& state) const {
    if (state.pace_ms == 0) return settings_.stall_new_ms;
    return std::max(settings_.stall_ms, slow_factor * state.pace_ms);
}

void Gate::on_time(std::int64_t now_ms) {
    for (auto& [peer, state] : peers_) {
        if (state.under_way.empty() || now_ms - state.progress_ms < patience_ms(state)) continue;
        state.stalled = true;
        state.progress_ms = now_ms;
        withdraw(state);
    }
    for (std::uint32_t i = 0; i < pieces_.size(); ++i) {
        const auto& at = pieces_[i];
        if (at.own && at.offered == 0 &&
            at.copies < std::min<std::size_t>(settings_.copies_min, peers_.size()) &&
            (at.copies == 0 || now_ms - at.copied_ms >= settings_.second_ms)) {
            enqueue(i, false);
        }
    }
    drop_spread();
}

bool Gate::spread() const {
    if (peers_.empty()) return false;
    const auto enough = std::min<std::size_t>(settings_.copies_min, peers_.size());
    return std::all_of(pieces_.begin(), pieces_.end(),
                       [&](const Piece& at) { return !at.own || at.copies >= enough; });
}

}  // namespace clarity::swarm
