// What the site has of another version spares the WAN, also where the fetcher's own cache has none
// of it: such a version is got over the LAN first.
#include <algorithm>

#include "node/swarm/base_choice.hpp"
#include "node/swarm/swarm_impl.hpp"
#include "protocol/log/log.hpp"

namespace clarity {

namespace {
constexpr std::size_t looked_at_max = 4;  ///< versions whose chunk lists are compared
/// Before anything else, whenever the cache wants room.
constexpr std::int64_t never_used_unix_s = 0;
}  // namespace

/// Whether a pull that the election gave us has to wait for a base.
bool Swarm::Impl::awaits_base(Item& item) {
    if (item.base.state == Base::State::none) look_for_base(item);
    return item.base.pending();
}

bool Swarm::Impl::is_whole_at_peer(const Digest& sha256) const {
    return std::any_of(site_.servers.begin(), site_.servers.end(), [&](const auto& each) {
        const auto& [server, claims] = each;
        if (!claims.alive || server == settings_.server_id) return false;
        const Holding* holding = claims.holding(sha256);
        return holding != nullptr && holding->complete &&
               !offenders_.barred(server, swarm_now_ms());
    });
}

/// What the site lacks of it at most: a pull that is nearly done needs no base.
std::uint64_t Swarm::Impl::missing_bytes(const Item& item) const {
    auto most = item.have_count;
    for (const auto& [server, claims] : site_.servers) {
        const Holding* holding = claims.alive ? claims.holding(item.manifest->sha256) : nullptr;
        if (holding != nullptr) most = std::max(most, holding->pieces_have);
    }
    const auto at_site = std::uint64_t{most} * item.manifest->piece_size_bytes;
    return item.manifest->size_bytes - std::min(item.manifest->size_bytes, at_site);
}

/// Once for each artifact. The chunk lists are compared in a worker.
void Swarm::Impl::look_for_base(Item& item) {
    item.base.state = Base::State::over;
    const Manifest& wanted = *item.manifest;
    const auto known =
        callbacks_.versions ? callbacks_.versions(wanted.artifact) : std::vector<const Manifest*>{};
    std::vector<std::shared_ptr<const Manifest>> others;
    for (const auto* each : known) {
        if (each->sha256 == wanted.sha256 || items_.contains(each->sha256)) continue;
        if (others.size() >= looked_at_max || !is_whole_at_peer(each->sha256)) continue;
        others.push_back(std::make_shared<const Manifest>(*each));
    }
    if (others.empty()) {
        log::debug("swarm: {}@{}: the site has no other version whose manifest is here",
                   wanted.artifact, wanted.version);
        return;
    }
    const swarm::BaseTerms terms{missing_bytes(item), settings_.base_spares_min_bytes};
    if (terms.missing_bytes < terms.spares_min_bytes) return;
    item.base.state = Base::State::choosing;
    item.base.since_ms = swarm_now_ms();
    item.claim_since_unix_ms = swarm_now_unix_ms();
    changed(true);
    state_worker_->submit([this, manifest = item.manifest, others = std::move(others),
                           terms](const std::stop_token&) {
        // `this` outlives its workers.
        std::optional<swarm::BaseChoice> choice;
        const auto chunks = chunks_of(*manifest);
        const auto here = chunks ? cache_.find_chunks(*chunks)
                                 : Result<ChunkPlaces>(tl::unexpected<Error>(chunks.error()));
        if (here) {
            choice = swarm::choose_base(
                *manifest, others, [&](const ChunkHash& hash) { return here->contains(hash); },
                terms);
        }
        post([sha256 = manifest->sha256, choice = std::move(choice)](Impl& self) {
            self.base_chosen(sha256, choice);
        });
    });
}

void Swarm::Impl::base_chosen(const Digest& sha256,
                              const std::optional<swarm::BaseChoice>& choice) {
    Item* item = find(sha256);
    if (item == nullptr || item->base.state != Base::State::choosing) return;
    if (!choice) {
        end_base(*item, "no version at the site would spare enough");
        return elect(*item);
    }
    log::info_for(item->correlation_id,
                  "swarm: {}@{}: gets {} over the LAN first: it spares {} bytes of the WAN",
                  item->manifest->artifact, item->manifest->version, choice->base->version,
                  choice->spared_bytes);
    auto then = [weak = weak_from_this(), sha256, base = choice->base] {
        const auto self = weak.lock();
        if (self) self->post([sha256, base](Impl& me) { me.borrow(sha256, base); });
    };
    if (callbacks_.make_room) callbacks_.make_room(choice->base->size_bytes, std::move(then));
    else then();
}

/// Room was made, as far as it could be.
void Swarm::Impl::borrow(const Digest& sha256, const std::shared_ptr<const Manifest>& base) {
    Item* item = find(sha256);
    if (item == nullptr || item->base.state != Base::State::choosing) return;
    const auto limit = cache_.settings().size_max_bytes;
    const auto here = cache_.describe(sha256);
    const auto held = here ? std::min(here->held_bytes, item->manifest->size_bytes) : 0;
    const auto needed =
        cache_.size_bytes() + base->size_bytes + (item->manifest->size_bytes - held);
    if (limit != 0 && needed > limit) {
        end_base(*item, "the cache has no room for it");
        return elect(*item);
    }
    if (items_.contains(base->sha256)) {
        end_base(*item, "it comes here anyway");
        return elect(*item);
    }
    Item& lent = make_item(*base);
    lent.borrowed = true;
    lent.correlation_id = item->correlation_id;
    item->base.state = Base::State::coming;
    item->base.sha256 = base->sha256;
    item->base.since_ms = swarm_now_ms();
    item->base.seen_bytes = lent.lan_base_bytes;
    ++item->base.life;
    ++totals_.borrowed;
    prepare(lent);
}

/// Called often while it comes: is it here, or is it to be waited for no longer?
void Swarm::Impl::look_at_base(Item& item) {
    if (!item.base.pending()) return;
    const auto now = swarm_now_ms();
    if (item.phase != Phase::running) return end_base(item, "it is not needed any more");
    if (item.base.state == Base::State::choosing) {
        if (now - item.base.since_ms < settings_.base_patience_ms) return;
        return end_base(item, "room for it was not made in time");
    }
    const Item* lent = find(item.base.sha256);
    if (lent == nullptr) return end_base(item, "the cache dropped it");
    if (lent->phase == Phase::complete) return end_base(item, "it is here");
    if (lent->phase == Phase::resting) return end_base(item, lent->error);
    if (lent->phase != Phase::running) return;  // what takes this node's own time only
    // Both: nothing comes, or it would take too long as a whole.
    const auto most_ms =
        settings_.base_patience_ms + static_cast<std::int64_t>(lent->manifest->size_bytes * 1000 /
                                                               settings_.base_rate_min_bytes_s);
    const auto progress_ms = std::max(item.base.since_ms, lent->lan_progress_ms);
    if (now - progress_ms >= settings_.base_patience_ms || now - item.base.since_ms >= most_ms) {
        end_base(item, "it does not come fast enough");
    }
}

/// Once a second: a claim that never changes is passed over, so it tells of the base's bytes.
void Swarm::Impl::measure_base(Item& item) {
    const Item* lent = item.base.state == Base::State::coming ? find(item.base.sha256) : nullptr;
    if (lent == nullptr) return;
    const auto bytes = lent->lan_base_bytes + lent->lan_bytes;
    const auto fresh = bytes - std::min(bytes, item.base.seen_bytes);
    item.base.seen_bytes = bytes;
    // No bytes come while it is read again or hashed.
    const bool busy = fresh > 0 || lent->phase == Phase::preparing || lent->phase == Phase::hashing;
    if (busy) ++item.base.life;
    item.rate_bytes_s = fresh > 0 ? fresh : busy ? item.base.life : 0;
    if (busy) changed(false);
}

/// The pull goes on without waiting, from whatever is here by now.
void Swarm::Impl::end_base(Item& item, std::string_view why) {
    const bool came = item.base.state == Base::State::coming;
    item.base.state = Base::State::over;
    item.rate_bytes_s = 0;
    log::debug("swarm: {}@{}: base: {}", item.manifest->artifact, item.manifest->version, why);
    if (came) post([sha256 = item.base.sha256](Impl& self) { self.return_base(sha256); });
}

/// What is not whole is of no use; what is whole goes first when the cache wants room.
void Swarm::Impl::return_base(const Digest& sha256) {
    Item* lent = find(sha256);
    if (lent == nullptr || !lent->borrowed || lent->phase == Phase::complete) return;
    forget(sha256);
    state_worker_->submit([this, sha256](const std::stop_token&) {
        if (auto removed = cache_.remove(sha256); !removed) {
            log::debug("swarm: {}", removed.error().message);
        }
    });
}

std::int64_t Swarm::Impl::use_of(const Item& item) {
    return item.borrowed ? never_used_unix_s : swarm_now_unix_ms() / 1000;
}

bool Swarm::Impl::holds_claim(const Item& item) {
    return item.fetch != nullptr || (item.base.pending() && item.election.fetching());
}

}  // namespace clarity
