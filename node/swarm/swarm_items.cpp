#include <algorithm>

#include "node/swarm/neighbours.hpp"
#include "node/swarm/swarm_impl.hpp"
#include "protocol/log/log.hpp"
#include "storage/files.hpp"

namespace clarity {

namespace {
constexpr std::int64_t dial_interval_ms = 2000;
constexpr std::int64_t dial_patience_ms = 3000;  ///< for the peers whose turn it is to dial
constexpr std::uint32_t troubles_max = 20;
constexpr std::uint64_t hash_step_bytes = 4U << 20;  ///< hashed at a time as they come in
}  // namespace

Swarm::Impl::Item& Swarm::Impl::make_item(const Manifest& manifest) {
    const election::Settings settings{settings_.fetch_delay_ms, settings_.fetch_stall_ms};
    auto& item =
        items_.try_emplace(manifest.sha256, manifest, settings, settings_.server_id).first->second;
    if (const auto found = stored_counts_.find(manifest.sha256); found != stored_counts_.end()) {
        item.counters->wan_bytes = item.wan_counted_bytes = found->second.wan_bytes;
        item.lan_base_bytes = found->second.lan_bytes;
        item.counters->resumed_bytes = found->second.wan_parts.resumed;
        item.counters->duplicate_bytes = found->second.wan_parts.duplicate;
        item.counters->repaired_bytes = found->second.wan_parts.repaired;
        item.counters->was_whole = found->second.whole;
    }
    return item;
}

void Swarm::Impl::want(const Manifest& manifest, std::string correlation_id,
                       const std::vector<std::string>& candidates) {
    Item* item = find(manifest.sha256);
    const bool fresh = item == nullptr;
    if (fresh) item = &make_item(manifest);
    item->wanted = true;
    item->borrowed = false;
    item->correlation_id = std::move(correlation_id);
    item->candidates = {candidates.begin(), candidates.end()};
    if (!fresh && item->phase != Phase::complete) return;
    if (const auto path = cache_.find(manifest.sha256)) {
        if (fresh) offer_complete(*item, *path);
        notify_complete(manifest.sha256, *path);
    } else {
        if (!fresh) remove_torrent(*item);  // the cache dropped the file meanwhile
        prepare(*item);
    }
}

void Swarm::Impl::seed(const Manifest& manifest) {
    if (find(manifest.sha256) != nullptr) return;
    if (const auto path = cache_.find(manifest.sha256)) {
        offer_complete(make_item(manifest), *path);
    }
}

void Swarm::Impl::forget(const Digest& sha256) {
    Item* item = find(sha256);
    if (item == nullptr) return;
    if (item->base.pending()) end_base(*item, "its artifact is forgotten");
    stop_fetch(*item);
    remove_torrent(*item);
    count_wan();
    local_bytes_gone_ += item->counters->local_bytes.load();
    items_.erase(sha256);
    stored_counts_.erase(sha256);
    save_counters();
    changed(true);
}

/// Makes or finds the partial file, in a worker: after a reboot the cache checks what is in it.
void Swarm::Impl::prepare(Item& item) {
    item.phase = Phase::preparing;
    item.generation = ++generations_;
    changed(false);
    state_worker_->submit([this, weak = weak_from_this(), manifest = item.manifest,
                           generation = item.generation,
                           used_unix_s = use_of(item)](const std::stop_token&) {
        // `this` outlives its workers; the answer may find it gone.
        auto path = cache_.begin(*manifest, used_unix_s);
        auto have = cache_.pieces(manifest->sha256);
        const auto complete = cache_.find(manifest->sha256);
        post([sha256 = manifest->sha256, generation, path = std::move(path), have = std::move(have),
              complete](Impl& self) {
            Item* found = self.find(sha256, generation);
            if (found == nullptr) return;
            if (complete) {
                self.offer_complete(*found, *complete);
                self.notify_complete(sha256, *complete);
            } else if (path) {
                self.prepared(*found, *path, have);
            } else {
                self.failed(*found, path.error());
                self.rest(*found);
            }
        });
    });
}

void Swarm::Impl::prepared(Item& item, const std::string& path, std::vector<bool> have) {
    item.have = std::move(have);
    item.have.resize(item.manifest->piece_count(), false);
    item.have_count =
        static_cast<std::uint32_t>(std::count(item.have.begin(), item.have.end(), true));
    item.unmarked.clear();
    item.hash = std::make_shared<swarm::PrefixHash>(path, item.manifest->size_bytes);
    item.prefix = 0;
    item.hash_asked_bytes = 0;
    item.phase = Phase::running;
    item.lan_progress_ms = swarm_now_ms();
    item.holder_since_ms = -1;
    add_torrent(item, path);
    changed(true);
    const bool all = item.have_count == item.manifest->piece_count();
    if (all && item.phase == Phase::running) finish(item);
}

void Swarm::Impl::add_torrent(Item& item, const std::string& path) {
    auto torrent = swarm::make_torrent(*item.manifest, settings_.ca_pem);
    if (!torrent) return failed(item, torrent.error());
    const bool incomplete = item.phase == Phase::running;
    const bool alone = std::none_of(site_.servers.begin(), site_.servers.end(), [&](auto& each) {
        const Holding* holding = each.second.holding(item.manifest->sha256);
        return each.first != settings_.server_id && holding != nullptr && holding->complete;
    });
    const auto endpoints =
        incomplete ? endpoints_of(links_for(item), Dial::first) : std::vector<std::string>{};
    item.dialled = {endpoints.begin(), endpoints.end()};
    const auto added =
        session_->add(item.manifest->sha256, *torrent, path, item.have, endpoints, alone);
    if (added) return;
    failed(item, added.error());
    if (added.error().code != Errc::invalid) rest(item);  // the port, as a rule: tried again
}

void Swarm::Impl::remove_torrent(Item& item) {
    session_->remove(item.manifest->sha256);
    item.lan_base_bytes += item.lan_bytes;
    item.lan_bytes = item.lan_progress_bytes = 0;
    item.peers = 0;
}

void Swarm::Impl::offer_complete(Item& item, const std::string& path) {
    item.phase = Phase::complete;
    item.have.assign(item.manifest->piece_count(), true);
    item.have_count = static_cast<std::uint32_t>(item.manifest->piece_count());
    item.error.clear();
    add_torrent(item, path);
    changed(true);
}

void Swarm::Impl::got_piece(const Digest& sha256, std::uint32_t piece) {
    Item* item = find(sha256);
    if (item == nullptr || item->phase != Phase::running) return;
    if (piece >= item->have.size() || item->have[piece]) return;
    item->have[piece] = true;
    item->unmarked.push_back(piece);
    changed(false);
    if (++item->have_count == item->manifest->piece_count() && !closing_) finish(*item);
}

void Swarm::Impl::got_stats(const Digest& sha256, const swarm::TorrentStats& stats) {
    Item* item = find(sha256);
    if (item == nullptr) return;
    item->peers = stats.peers;
    if (stats.received_bytes != item->lan_bytes) {
        item->lan_bytes = stats.received_bytes;
        note_lan_progress(*item);
        changed(false);
    }
    // Makes up for alerts that libtorrent dropped.
    if (stats.own.size() != item->have.size()) return;
    for (std::uint32_t i = 0; i < stats.own.size(); ++i) {
        if (stats.own[i]) got_piece(sha256, i);
    }
}

/// A holder that trickles is none: only a rate that is worth waiting for counts.
void Swarm::Impl::note_lan_progress(Item& item) {
    const auto now = swarm_now_ms();
    const auto since_ms = static_cast<std::uint64_t>(now - item.lan_progress_ms);
    const auto fresh = item.lan_bytes - std::min(item.lan_bytes, item.lan_progress_bytes);
    if (fresh * 1000 < settings_.holder_rate_min_bytes_s * since_ms) return;
    item.lan_progress_ms = now;
    item.lan_progress_bytes = item.lan_bytes;
}

void Swarm::Impl::got_trouble(const Digest& sha256, const Error& error) {
    Item* item = find(sha256);
    if (item == nullptr || item->phase == Phase::preparing || item->phase == Phase::resting) return;
    if (item->phase == Phase::running) {
        stop_fetch(*item);
        const auto what = item->manifest->artifact + "@" + item->manifest->version;
        failed(*item, Error(error).within(what));
        rest(*item);
        return;
    }
    // A read may meet the moment in which the finished file is moved into the cache; completed()
    // takes the torrent up again at the new place, not before: it would only fail anew.
    item->troubled = true;
    if (item->phase == Phase::hashing) return;
    if (++item->troubles <= troubles_max) {
        session_->dial(sha256, endpoints_of(links_for(*item), Dial::all));
        session_->clear_trouble(sha256);
        return;
    }
    log::warning_for(item->correlation_id, "swarm: {}@{} is not offered any more: {}",
                     item->manifest->artifact, item->manifest->version, error.message);
    remove_torrent(*item);
}

/// Out of the swarm until the backoff is over, then anew.
void Swarm::Impl::rest(Item& item) {
    remove_torrent(item);
    item.phase = Phase::resting;
    item.retry_ms = swarm_now_ms() + error_backoff_ms(item, Errc::failed);
}

void Swarm::Impl::mark_pieces(Item& item) {
    hash_prefix(item);
    if (item.unmarked.empty() || item.phase != Phase::running) return;
    state_worker_->submit([this, sha256 = item.manifest->sha256,
                           pieces = std::move(item.unmarked)](const std::stop_token&) {
        if (auto marked = cache_.mark_pieces(sha256, pieces); !marked) {
            log::debug("swarm: {}", marked.error().message);
        }
    });
    item.unmarked.clear();
}

/// The whole is hashed as it comes in, so that little is left to do when the last piece is here.
void Swarm::Impl::hash_prefix(Item& item) {
    if (item.phase != Phase::running || !item.hash) return;
    while (item.prefix < item.have.size() && item.have[item.prefix]) ++item.prefix;
    const auto bytes = std::uint64_t{item.prefix} * item.manifest->piece_size_bytes;
    if (bytes < item.hash_asked_bytes + hash_step_bytes) return;
    item.hash_asked_bytes = bytes;
    hash_worker_->submit([hash = item.hash, bytes](const std::stop_token& stop) {
        if (auto hashed = hash->advance(bytes, stop); !hashed) {
            log::debug("swarm: {}", hashed.error().message);  // finish() meets it again
        }
    });
}

/// All pieces are here: the rest of the file is hashed and the cache takes it over, in a worker,
/// while the torrent goes on giving pieces to the peers.
void Swarm::Impl::finish(Item& item) {
    item.phase = Phase::hashing;
    item.generation = ++generations_;
    changed(true);
    auto job = [this, manifest = item.manifest, generation = item.generation,
                unmarked = std::move(item.unmarked), hash = std::move(item.hash),
                used_unix_s = use_of(item),
                link = session_->link(item.manifest->sha256)](const std::stop_token& stop) {
        auto marked = cache_.mark_pieces(manifest->sha256, unmarked);
        auto hashed =
            marked ? hash->finish(stop) : Result<Digest>(tl::unexpected<Error>(marked.error()));
        auto path = hashed ? cache_.complete(*manifest, used_unix_s, stop, &*hashed)
                           : Result<std::string>(tl::unexpected<Error>(hashed.error()));
        if (path && link) link->moved_to(parent_dir(*path));
        post([sha256 = manifest->sha256, generation, path = std::move(path),
              moved = link != nullptr](Impl& self) {
            Item* found = self.find(sha256, generation);
            if (found == nullptr) return;
            if (path) {
                self.completed(*found, *path, moved);
            } else if (path.error().code != Errc::cancelled) {
                self.failed(*found, path.error());
                self.rest(*found);
            }
        });
    };
    item.unmarked.clear();
    // Marks that are still on their way to the index come first.
    state_worker_->submit([this, job = std::move(job)](const std::stop_token&) mutable {
        hash_worker_->submit(std::move(job));
    });
}

void Swarm::Impl::completed(Item& item, const std::string& path, bool moved) {
    item.phase = Phase::complete;
    item.counters->was_whole = true;
    item.error.clear();
    item.errors = 0;
    item.troubles = 0;
    stop_fetch(item);
    if (!moved) {  // it was not ready when it was to be told of the new place
        remove_torrent(item);
        add_torrent(item, path);
    } else if (item.troubled) {
        session_->dial(item.manifest->sha256,
                       endpoints_of(links_for(item), Dial::all));  // trouble cut the peers off
        session_->clear_trouble(item.manifest->sha256);
    }
    item.troubled = false;
    log::info_for(item.correlation_id, "swarm: {}@{} is here: {} bytes, {} from origins",
                  item.manifest->artifact, item.manifest->version, item.manifest->size_bytes,
                  item.counters->wan_bytes.load());
    save_counters();
    changed(true);
    notify_complete(item.manifest->sha256, path);
}

void Swarm::Impl::failed(Item& item, const Error& error) {
    ++item.errors;
    if (item.borrowed) {  // nobody waits for it but a pull that goes on without it
        item.error = error.message;
        return;
    }
    if (item.error != error.message) {  // else it was logged as a warning of the fetch
        log::warning_for(item.correlation_id, "swarm: {}", error.message);
    }
    item.error = error.message;
    item.error_passing = false;
    changed(true);
    post([sha256 = item.manifest->sha256, error](Impl& self) {
        if (self.callbacks_.on_error) self.callbacks_.on_error(sha256, error);
    });
}

void Swarm::Impl::notify_complete(const Digest& sha256, const std::string& path) {
    post([sha256, path](Impl& self) {
        if (self.callbacks_.on_complete) self.callbacks_.on_complete(sha256, path);
    });
}

/// The neighbours in this artifact's swarm. Who should get it by the plan counts from the start, so
/// that all see the same graph at once; connections that only a passing view called for would cost
/// both ends until the end.
std::vector<Swarm::Impl::Link> Swarm::Impl::links_for(const Item& item) const {
    const auto& sha256 = item.manifest->sha256;
    std::vector<swarm::Participant> participants;
    std::map<std::string, Link> by_id;
    for (const auto& peer : peers_) {
        if (!peer.alive || peer.server_id == settings_.server_id) continue;
        if (offenders_.barred(peer.server_id, swarm_now_ms())) continue;
        const auto found = site_.servers.find(peer.server_id);
        const auto* claims = found == site_.servers.end() ? nullptr : &found->second;
        const auto* holding = claims == nullptr ? nullptr : claims->holding(sha256);
        const bool there = holding != nullptr;
        if (!there && !item.candidates.contains(peer.server_id)) continue;
        participants.push_back({peer.server_id, there && holding->complete,
                                claims != nullptr && claims->fetches(sha256)});
        by_id[peer.server_id] = {&peer, false, there};
    }
    std::vector<Link> out;
    for (const auto& each : swarm::neighbours_of(sha256, settings_.server_id, participants)) {
        auto& link = by_id[each.server_id];
        link.ours = each.dial;
        out.push_back(link);
    }
    return out;
}

/// Where to dial.
std::vector<std::string> Swarm::Impl::endpoints_of(const std::vector<Link>& links, Dial whom) {
    std::vector<std::string> out;
    for (const auto& [peer, ours, there] : links) {
        if (!ours && whom == Dial::turn) continue;
        out.push_back(peer->endpoint);
        if (whom == Dial::all) out.insert(out.end(), peer->others.begin(), peer->others.end());
    }
    return out;
}

/// Only who lacks pieces dials, of two such the lower id; when the other end does not come, both.
/// libtorrent forgets hosts that did not answer, so again and again.
void Swarm::Impl::dial(Item& item) {
    if (item.phase != Phase::running) return;
    const auto now = swarm_now_ms();
    const auto links = links_for(item);
    const auto there =
        std::count_if(links.begin(), links.end(), [](auto& each) { return each.there; });
    const bool lonely = item.peers < static_cast<std::size_t>(there);
    if (!lonely || item.lonely_since_ms < 0) item.lonely_since_ms = lonely ? now : -1;
    const bool in_vain = lonely && now - item.lonely_since_ms >= dial_patience_ms;
    const auto endpoints = endpoints_of(links, in_vain ? Dial::all : Dial::turn);
    const bool news = std::any_of(endpoints.begin(), endpoints.end(),
                                  [&](const auto& each) { return !item.dialled.contains(each); });
    if (!news && !(lonely && now - item.dialled_ms >= dial_interval_ms)) return;
    item.dialled_ms = now;
    item.dialled.insert(endpoints.begin(), endpoints.end());
    session_->dial(item.manifest->sha256, endpoints);
}

}  // namespace clarity
