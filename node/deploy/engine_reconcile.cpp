#include <algorithm>

#include "node/deploy/engine.hpp"
#include "node/drivers/process.hpp"
#include "protocol/log/log.hpp"

namespace clarity {
namespace {

constexpr int check_timeout_ms = 1000;
constexpr std::int64_t busy_tick_ms = 250;  ///< while a service is on its way
constexpr std::int64_t tick_min_ms = 5;

}  // namespace

std::int64_t Deployment::Impl::backoff(std::uint32_t attempts, std::int64_t low,
                                       std::int64_t high) {
    const auto full = std::min<std::int64_t>(low << std::min(attempts, 20U), high);
    return full - std::uniform_int_distribution<std::int64_t>(0, full / 5)(random);
}

/// Looks at what waits for time to pass; every reconcile_ms at what the host runs.
void Deployment::Impl::tick() {
    if (ended) return;
    tick_due_ms = -1;
    const auto now = steady_ms_now();
    const bool look = now >= next_reconcile_ms;
    if (look) next_reconcile_ms = now + settings.reconcile_ms;
    advance_all();
    if (!look) return;
    for (auto& [name, each] : live) reconcile(each);
    schedule_tick();
}

/// Sets the timer for what is due first. To be called after every change: a server without services
/// does not wake at all, one whose services are at rest only looks at them.
void Deployment::Impl::schedule_tick() {
    if (ended || live.empty()) return;
    const auto now = steady_ms_now();
    auto due = next_reconcile_ms;
    for (const auto& [name, each] : live) {
        if (each.busy || is_at_rest(each.entry.step)) continue;  // what is busy comes back
        const auto poll = std::min<std::int64_t>(busy_tick_ms, settings.watch_poll_ms);
        due = std::min(due, std::max(each.not_before_ms, now + poll));
    }
    due = std::max(due, now + tick_min_ms);
    if (tick_due_ms >= 0 && tick_due_ms <= due) return;
    tick_due_ms = due;
    timer.expires_after(std::chrono::milliseconds(due - now));
    timer.async_wait([self = weak_from_this()](auto error) {
        if (const auto alive = self.lock(); alive && !error) alive->tick();
    });
}

void Deployment::Impl::reconcile(Live& each) {
    const auto& entry = each.entry;
    if (each.busy || (entry.step != Step::running && entry.step != Step::failed)) return;
    if (!entry.installed) {
        // Nothing runs and nothing is there to return to: try the target again, slowly.
        if (entry.step == Step::failed && entry.failed && !each.artifact_error &&
            steady_ms_now() >= each.not_before_ms) {
            move(each, Event::retry, entry.detail);
        }
        return;
    }
    each.busy = true;
    in_background(
        [this, version = *entry.installed]() -> Result<std::pair<Observation, std::string>> {
            CLARITY_TRY(auto* driver, driver_for(version.service.type));
            CLARITY_TRY(auto seen, driver->observe(version.service.name));
            std::string checks;
            if (seen.state == RunState::running) {
                checks = run_checks(version.service.watch, check_timeout_ms);
            }
            return std::pair(std::move(seen), std::move(checks));
        },
        [this, name = entry.name](Result<std::pair<Observation, std::string>> got) {
            const auto found = live.find(name);
            if (found == live.end()) return;
            auto& seen = found->second;
            seen.busy = seen.storing;
            if (seen.storing) return;
            if (seen.interrupt) {
                move(seen, *std::exchange(seen.interrupt, std::nullopt));
                return advance_all();
            }
            if (!got) on_observed(seen, tl::unexpected<Error>(got.error()), {});
            else on_observed(seen, std::move(got->first), got->second);
        });
}

void Deployment::Impl::on_observed(Live& each, Result<Observation> seen,
                                   const std::string& checks) {
    auto& entry = each.entry;
    const auto before = status_of(each);
    if (!seen) {
        each.health = Health::unknown;
        each.seen_detail = seen.error().message;
        if (before.detail != status_of(each).detail) changed();
        return;
    }
    each.restarts = seen->restarts;
    each.drift = seen->drift;
    each.seen_detail = seen->state == RunState::running ? checks : seen->detail;
    const auto& version = *entry.installed;
    bool again = false;
    const bool other = !seen->key.empty() && seen->key != version.key;
    if (other) each.drift.emplace_back("another version or configuration is set up");
    if (seen->state == RunState::running && !other) {
        each.health = checks.empty() ? Health::healthy : Health::unhealthy;
        each.state = ServiceState::running;
        entry.finished = false;
        const bool late = entry.step == Step::failed && entry.failed && checks.empty() &&
                          entry.target && entry.target->key == version.key;
        if (late && steady_ms_now() >= each.not_before_ms) {  // it came up after all
            move(each, Event::retry, entry.detail);
        }
        if (unix_ms_now() - std::max(seen->started_unix_ms, entry.since_unix_ms) > 30'000) {
            each.attempts = entry.failed ? each.attempts : 0;
        }
    } else if (seen->state == RunState::waiting && !other) {
        each.health = Health::unhealthy;
        each.state = ServiceState::starting;
    } else {
        each.health = Health::unhealthy;
        const bool host_restarted = entry.boot_id != this_boot;
        if (host_restarted) {
            again = entry.target && entry.target->service.autostart;
            if (!again) each.seen_detail = "not started after the host's restart: autostart is off";
        } else if (seen->state == RunState::absent) {
            again = version.service.restart != RestartPolicy::never;
            each.drift.emplace_back(fmt::format("{} is missing", name_of(version.service.type)));
        } else {
            again = should_restart(version.service.restart, seen->exit_code) || other;
        }
        entry.finished = !again && seen->exit_code == 0;
        if (entry.finished) each.health = Health::healthy;
        each.state = again ? ServiceState::starting : ServiceState::stopped;
        // A target that failed alone is deployed anew rather than restarted.
        if (entry.step == Step::failed && (!entry.good || entry.good->key != version.key)) {
            if (steady_ms_now() >= each.not_before_ms) move(each, Event::retry, entry.detail);
            again = false;
        }
    }
    if (again) {
        move(each, Event::exited, entry.step == Step::failed ? entry.detail : each.seen_detail);
        each.not_before_ms =
            steady_ms_now() + (each.attempts == 0
                                   ? 0
                                   : backoff(each.attempts, settings.heal_backoff_min_ms,
                                             settings.heal_backoff_max_ms));
        ++each.attempts;
        log::info("service {}: does not run ({}); starting it again", entry.name, each.seen_detail);
        advance(each);
    }
    const auto after = status_of(each);
    if (std::tie(before.state, before.health, before.detail, before.restarts, before.drift) !=
        std::tie(after.state, after.health, after.detail, after.restarts, after.drift)) {
        changed();
    }
}

/// More servers failed than the plan allows: what this plan changed here goes back.
void Deployment::Impl::recall_if_asked() {
    if (!plan) return;
    for (auto& [name, each] : live) {
        auto& entry = each.entry;
        if (each.busy || entry.step != Step::running || entry.failed || !entry.previous ||
            !entry.target || entry.deployed_seq != plan->seq || entry.plan_seq != plan->seq) {
            continue;
        }
        const auto decision =
            rollout_gate(*plan, settings.server_id, entry.target->service.priority, known_site());
        if (decision.gate != Gate::back) continue;
        entry.good = std::exchange(entry.previous, std::nullopt);
        entry.failed = true;
        move(each, Event::recall, entry.target->service.version + ": " + decision.reason);
    }
}

void Deployment::Impl::refresh_pins() {
    std::set<Digest> wanted;
    for (const auto& [name, each] : live) {
        const auto& entry = each.entry;
        if (entry.step == Step::gone) continue;
        for (const auto* version :
             {&entry.target, &entry.good, &entry.previous, &entry.installed, &each.new_target}) {
            if (*version) wanted.insert((*version)->sha256);
        }
    }
    for (const auto& each : wanted) {
        if (!pinned.contains(each) && callbacks.pin) callbacks.pin(each);
    }
    for (const auto& each : pinned) {
        if (wanted.contains(each)) continue;
        artifact_paths.erase(each);  // the cache may drop it from now on
        if (callbacks.unpin) callbacks.unpin(each);
    }
    pinned = std::move(wanted);
}

/// Frees an unpacked version that neither runs nor serves a return.
void Deployment::Impl::discard_unused(const JournalEntry& entry, const ServiceVersion& old) {
    for (const auto* each : {&entry.target, &entry.good, &entry.previous, &entry.installed}) {
        if (*each && (*each)->service.version == old.service.version) return;
    }
    in_background(
        [this, old]() -> Result<void> {
            CLARITY_TRY(auto* driver, driver_for(old.service.type));
            return driver->discard(old.service.name, old.service.version);
        },
        [](const Result<void>& done) {
            if (!done) log::warning("an old version stays on disk: {}", done.error().message);
        });
}

ServiceStatus Deployment::Impl::status_of(const Live& each) const {
    const auto& entry = each.entry;
    ServiceStatus out;
    out.name = entry.name;
    if (entry.installed) out.version = entry.installed->service.version;
    out.since_unix_ms = entry.since_unix_ms;
    out.plan_seq = entry.plan_seq;
    out.restarts = each.restarts;
    out.drift = each.drift;
    out.health = each.health;
    out.detail = entry.detail.empty() ? each.seen_detail : entry.detail;
    using enum Step;
    switch (entry.step) {
        case wait: out.state = ServiceState::waiting; break;
        case Step::validate:
        case Step::artifact: out.state = ServiceState::downloading; break;
        case running: out.state = each.state; break;
        case held:
        case Step::remove:
        case gone: out.state = ServiceState::stopped; break;
        default: out.state = ServiceState::starting; break;
    }
    if (entry.failed) out.state = ServiceState::failed;
    if (out.state != ServiceState::running && entry.step != running && entry.step != Step::failed) {
        out.health = Health::unknown;
    }
    return out;
}

/// One callback for all changes of one turn of the loop.
void Deployment::Impl::changed() {
    if (changed_posted || ended) return;
    changed_posted = true;
    io.post([self = weak_from_this()] {
        const auto alive = self.lock();
        if (!alive || alive->ended) return;
        alive->changed_posted = false;
        if (alive->callbacks.changed) alive->callbacks.changed();
    });
}

}  // namespace clarity
