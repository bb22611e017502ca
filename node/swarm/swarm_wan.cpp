#include "node/swarm/swarm_impl.hpp"
#include "protocol/log/log.hpp"

namespace clarity {

void Swarm::Impl::open_ledger() {
    const auto path = settings_.state_dir + "/wan.json";
    if (auto ledger = load_ledger(path)) {
        ledger_stored_ = *ledger;
        wan_gate_.set_ledger(*ledger);
    } else {
        log::warning("swarm: {}: the WAN counts as not paused and nothing of it as spent: {}", path,
                     ledger.error().message);
    }
}

/// What came since the last time goes into the ledger.
void Swarm::Impl::count_wan() {
    for (auto& [sha256, item] : items_) {
        const auto bytes = item.counters->wan_bytes.load();
        if (bytes == item.wan_counted_bytes) continue;
        wan_gate_.spend(bytes - item.wan_counted_bytes, swarm_now_unix_ms() / 1000);
        item.wan_counted_bytes = bytes;
    }
}

void Swarm::Impl::look_at_wan() {
    count_wan();
    auto now = wan_gate_.look(swarm_now_unix_ms() / 1000);
    limiter_->set_left(wan_gate_.left_bytes());
    now.rate_bytes_s = rate_best_bytes_s_;
    if (now == wan_) return;
    const bool turned = now.state != wan_.state;
    if (turned) log::info("swarm: the WAN is {} to this server now", now.state);
    wan_ = now;
    changed(turned);
}

void Swarm::Impl::save_wan() {
    if (wan_gate_.ledger() == ledger_stored_) return;
    ledger_stored_ = wan_gate_.ledger();
    state_worker_->submit([path = settings_.state_dir + "/wan.json",
                           ledger = ledger_stored_](const std::stop_token&) {
        if (auto saved = save_ledger(path, ledger); !saved) {
            log::warning("swarm: what the WAN carried is not kept: {}", saved.error().message);
        }
    });
}

void Swarm::Impl::pause_wan(bool paused, std::int64_t until_unix_s,
                            std::function<void(Result<void>)> done) {
    if (paused) wan_gate_.pause(until_unix_s);
    else wan_gate_.resume();
    look_at_wan();
    for (auto& [sha256, item] : items_) elect(item);
    schedule_tick();
    ledger_stored_ = wan_gate_.ledger();
    state_worker_->submit([this, path = settings_.state_dir + "/wan.json", ledger = ledger_stored_,
                           done = std::move(done)](const std::stop_token&) mutable {
        post([saved = save_ledger(path, ledger), done = std::move(done)](Impl&) { done(saved); });
    });
}

std::optional<WanReport> Swarm::Impl::wan() const {
    return wan_ == WanReport{} ? std::nullopt : std::optional(wan_);
}

}  // namespace clarity
