#include "node/deploy/engine.hpp"
#include "node/drivers/process.hpp"
#include "protocol/log/log.hpp"

namespace clarity {
namespace {

constexpr int check_timeout_ms = 1000;

bool has_effect(Step step) {
    return step != Step::wait && step != Step::artifact && step != Step::watch &&
           step != Step::back_watch && !is_at_rest(step);
}

/// Which version a step acts on.
const std::optional<ServiceVersion>& version_at(const JournalEntry& entry) {
    using enum Step;
    switch (entry.step) {
        case heal:
        case back_heal: return entry.installed;
        case back_stop:
        case back_prepare:
        case back_configure:
        case back_set_up:
        case back_start:
        case back_watch: return entry.good;
        default: return entry.target;
    }
}

}  // namespace

void Deployment::Impl::advance_all() {
    for (auto& [name, each] : live) advance(each);
    std::erase_if(live, [](const auto& each) {
        return each.second.entry.step == Step::gone && !each.second.busy;
    });
    schedule_tick();
}

void Deployment::Impl::advance(Live& each) {
    if (each.busy || ended || is_at_rest(each.entry.step)) return;
    // Until the plan is here again after a restart, only what ran is kept running.
    if (!plan && each.entry.step != Step::heal && each.entry.step != Step::back_heal) return;
    if (steady_ms_now() < each.not_before_ms) return;
    switch (each.entry.step) {
        case Step::wait: return advance_wait(each);
        case Step::artifact: return advance_artifact(each);
        case Step::watch:
        case Step::back_watch: return poll_watch(each);
        default: return run_step(each);
    }
}

/// Changes the step in memory; run_step() journals it before the effect.
void Deployment::Impl::move(Live& each, Event event, std::string detail) {
    auto& entry = each.entry;
    const auto next = next_step(entry.step, event);
    if (!next) return;
    if (event == Event::replace && each.new_target) {
        entry.target = std::exchange(each.new_target, std::nullopt);
        entry.deployed_seq = each.new_seq;
        entry.failed = false;
        entry.finished = false;
        each.attempts = 0;
        each.not_before_ms = 0;
    }
    if (event == Event::hold || event == Event::release || event == Event::drop ||
        event == Event::retry) {
        each.not_before_ms = 0;
    }
    entry.step = *next;
    entry.detail = std::move(detail);
    entry.since_unix_ms = unix_ms_now();
    each.asked = false;
    each.blocked = false;
    each.watcher.reset();
    if (*next == Step::watch || *next == Step::back_watch) {
        entry.boot_id = this_boot;
        const auto& service = version_at(entry)->service;
        each.watcher.emplace(service.watch, service.restart, steady_ms_now());
    }
    changed();
}

std::map<std::string, RecordSummary> Deployment::Impl::known_site() const {
    auto known = site;
    RecordSummary own{true, plan->seq, false, false, {}};
    for (const auto& [name, other] : live) {
        own.failed = own.failed || (other.entry.failed && other.entry.plan_seq == plan->seq);
    }
    known[settings.server_id] = own;
    return known;
}

bool Deployment::Impl::gate_open(Live& each) {
    const auto decision =
        rollout_gate(*plan, settings.server_id, each.entry.target->service.priority, known_site());
    if (decision.gate == Gate::go) return true;
    each.entry.detail = decision.reason;
    each.blocked = decision.gate != Gate::wait;
    return false;
}

bool Deployment::Impl::after_open(Live& each) {
    for (const auto& name : each.entry.target->service.after) {
        const auto other = live.find(name);
        if (other == live.end() || other->second.entry.step == Step::remove) continue;
        const auto& entry = other->second.entry;
        if (entry.step == Step::running && !entry.failed && !other->second.interrupt &&
            other->second.state != ServiceState::starting) {
            continue;
        }
        each.blocked = entry.failed || other->second.blocked;
        each.entry.detail = each.blocked ? "not started: " + name + ", which it comes after, failed"
                                         : "waits for " + name;
        return false;
    }
    return true;
}

void Deployment::Impl::advance_wait(Live& each) {
    if (!each.entry.target) return;
    const auto before = std::pair(each.entry.detail, each.blocked);
    each.blocked = false;
    if (gate_open(each) && after_open(each)) {
        move(each, Event::ok);
        return advance(each);
    }
    if (before != std::pair(each.entry.detail, each.blocked)) changed();
}

void Deployment::Impl::advance_artifact(Live& each) {
    const auto& sha256 = each.entry.target->sha256;
    if (artifact_paths.contains(sha256)) {
        each.artifact_error.reset();
        move(each, Event::ok);
        return advance(each);
    }
    if (each.artifact_error) return failed_step(each, *each.artifact_error);
    const auto manifest = manifests_by_sha.find(sha256);
    if (each.asked || manifest == manifests_by_sha.end()) return;
    each.asked = true;
    each.entry.detail = "fetching " + manifest->second.artifact + " " + manifest->second.version;
    if (callbacks.need_artifact) callbacks.need_artifact(manifest->second);
}

void Deployment::Impl::run_step(Live& each) {
    if (!has_effect(each.entry.step)) return;
    Job job{each.entry.step, each.entry, {}};
    if (const auto& version = version_at(each.entry)) {
        const auto path = artifact_paths.find(version->sha256);
        if (path != artifact_paths.end()) job.artifact_path = path->second;
    }
    if (job.step == Step::set_up || job.step == Step::back_set_up) {
        each.entry.installed = version_at(each.entry);
        job.entry = each.entry;
    }
    each.busy = true;
    const auto name = each.entry.name;
    const auto step = each.entry.step;
    in_background(
        [this, job] { return effect(job); },
        [this, name, step](Result<void> result) { finish_step(name, step, std::move(result)); });
}

void Deployment::Impl::finish_step(const std::string& name, Step step, Result<void> result) {
    const auto found = live.find(name);
    if (found == live.end()) return;
    auto& each = found->second;
    each.busy = false;
    if (step == Step::back_stop && result) each.entry.installed.reset();
    if (each.interrupt) {
        move(each, *std::exchange(each.interrupt, std::nullopt));
    } else if (!result) {
        failed_step(each, result.error());
    } else {
        const bool going_back = step >= Step::back_stop && step <= Step::back_watch;
        const bool healed = step == Step::heal || step == Step::back_heal;
        if (healed) {
            each.entry.boot_id = this_boot;
            each.state = ServiceState::starting;
        }
        const bool keep = going_back || step == Step::back_heal;
        move(each, Event::ok, keep ? each.entry.detail : std::string());
        if (each.entry.step == Step::gone) refresh_pins();
    }
    advance_all();
    changed();
}

void Deployment::Impl::failed_step(Live& each, const Error& error) {
    auto& entry = each.entry;
    const auto step = entry.step;
    const bool retried = step == Step::heal || step == Step::back_heal || step == Step::remove;
    if (error.code == Errc::unavailable) host_lacks.insert(error.message);
    log::warning_for(plan ? plan->correlation_id : "", "service {}: {}: {}", entry.name,
                     name_of(step), error.message);
    if (retried) {
        if (step != Step::remove && entry.installed) {  // what was unpacked may be gone
            const auto manifest = manifests_by_sha.find(entry.installed->sha256);
            if (error.code == Errc::not_found && manifest != manifests_by_sha.end() &&
                callbacks.need_artifact) {
                callbacks.need_artifact(manifest->second);
            }
        }
        move(each, Event::error, error.message);
        each.not_before_ms =
            steady_ms_now() +
            backoff(each.attempts++, settings.heal_backoff_min_ms, settings.heal_backoff_max_ms);
        return;
    }
    entry.failed = true;
    entry.plan_seq = plan ? plan->seq : entry.plan_seq;
    const bool untouched = step == Step::validate || step == Step::artifact ||
                           step == Step::prepare || step == Step::configure;
    if (!untouched) each.health = Health::unknown;  // what was seen is not what runs now
    const bool backwards = step >= Step::back_stop && step <= Step::back_watch;
    std::string detail = error.message;
    if (backwards) detail = entry.detail + "; return to the last good version failed: " + detail;
    const bool can_return = entry.good && plan && plan->rollout.auto_rollback;
    move(each, can_return ? Event::error : Event::error_alone,
         entry.target->service.version + ": " + detail);
    if (entry.step == Step::failed) arrived(each);
}

/// The end of a way: running, or failed with whatever runs instead.
void Deployment::Impl::arrived(Live& each) {
    auto& entry = each.entry;
    if (entry.step == Step::running) {
        const auto evicted = entry.previous;
        if (entry.good && entry.good->key != entry.target->key) entry.previous = entry.good;
        entry.good = entry.target;
        if (evicted) discard_unused(entry, *evicted);
        entry.failed = false;
        each.state = entry.finished ? ServiceState::stopped : ServiceState::running;
        each.attempts = 0;
    } else {
        each.not_before_ms =
            steady_ms_now() +
            backoff(each.attempts++, settings.retry_backoff_min_ms, settings.retry_backoff_max_ms);
    }
    if (plan) entry.plan_seq = plan->seq;
    store(each);
    refresh_pins();
    changed();
}

/// Journals where a service has arrived; it counts as settled once that is on disk.
void Deployment::Impl::store(Live& live_one) {
    live_one.busy = live_one.storing = true;
    in_background([this, copy = live_one.entry] { return journal.put(copy); },
                  [this, name = live_one.entry.name](const Result<void>& stored) {
                      if (!stored) log::error("journal: {}", stored.error().message);
                      const auto found = live.find(name);
                      if (found == live.end()) return;
                      auto& each = found->second;
                      each.busy = each.storing = false;
                      if (each.interrupt) move(each, *std::exchange(each.interrupt, std::nullopt));
                      advance_all();
                      changed();
                  });
}

void Deployment::Impl::poll_watch(Live& each) {
    const auto version = version_at(each.entry);
    if (!each.watcher) {
        each.watcher.emplace(version->service.watch, version->service.restart, steady_ms_now());
    }
    each.not_before_ms = steady_ms_now() + settings.watch_poll_ms;
    each.busy = true;
    in_background(
        [this, version]() -> Result<WatchSample> {
            CLARITY_TRY(auto* driver, driver_for(version->service.type));
            WatchSample sample;
            CLARITY_TRY(sample.seen, driver->observe(version->service.name));
            if (sample.seen.state == RunState::running) {
                sample.check_detail = run_checks(version->service.watch, check_timeout_ms);
                sample.checks_pass = sample.check_detail.empty();
            }
            return sample;
        },
        [this, name = each.entry.name](Result<WatchSample> sample) {
            if (const auto found = live.find(name); found != live.end()) {
                on_sample(found->second, std::move(sample));
            }
        });
}

void Deployment::Impl::on_sample(Live& each, Result<WatchSample> sample) {
    each.busy = false;
    if (each.interrupt) {
        move(each, *std::exchange(each.interrupt, std::nullopt));
        return advance_all();
    }
    if (!sample) return failed_step(each, sample.error());
    each.restarts = sample->seen.restarts;
    each.drift = sample->seen.drift;
    const auto verdict = each.watcher->look(steady_ms_now(), *sample);
    if (verdict == WatchVerdict::pending) return;
    const auto why = each.watcher->detail();
    each.not_before_ms = 0;
    if (verdict == WatchVerdict::bad) {
        failed_step(each, Error{Errc::failed, why});
        return advance_all();
    }
    const bool back = each.entry.step == Step::back_watch;
    each.entry.finished = !back && sample->seen.state != RunState::running;
    each.health = Health::healthy;
    move(each, Event::ok, back ? each.entry.detail : why);
    if (back)
        each.entry.detail +=
            fmt::format(" (version {} runs again)", each.entry.good->service.version);
    arrived(each);
    advance_all();
}

}  // namespace clarity
