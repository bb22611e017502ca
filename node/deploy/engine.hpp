#pragma once

#include <utility>  // before any Boost.Asio header: 1.74 forgets it

#include <boost/asio/steady_timer.hpp>
#include <random>
#include <set>

#include "node/deploy/deployment.hpp"
#include "node/deploy/journal.hpp"
#include "node/deploy/start_watch.hpp"
#include "node/deploy/worker_pool.hpp"

namespace clarity {

/// A service in memory: its journal entry and what only matters while this process runs.
struct Live {
    JournalEntry entry;
    bool busy = false;                         ///< a job of its runs
    std::optional<Event> interrupt;            ///< came while busy; goes before the job's result
    std::optional<ServiceVersion> new_target;  ///< with interrupt replace
    std::uint64_t new_seq = 0;
    bool storing = false;  ///< its end is being journalled; busy as well
    bool asked = false;    ///< need_artifact was called in this step
    std::optional<Error> artifact_error;
    std::optional<StartWatcher> watcher;
    std::int64_t not_before_ms = 0;  ///< backoff, on the steady clock
    std::uint32_t attempts = 0;
    bool blocked = false;  ///< waits for something that will not come in this plan
    ServiceState state = ServiceState::waiting;
    Health health = Health::unknown;
    std::uint32_t restarts = 0;
    std::string seen_detail;
    std::vector<std::string> drift;
};

/// What Deployment hides. Owned by a shared_ptr: jobs and timers hold weak ones.
struct Deployment::Impl : std::enable_shared_from_this<Deployment::Impl> {
    Impl(boost::asio::io_context& loop, DeploySettings wanted, KeyValueStore& store,
         const SigningKey& key, DeployCallbacks calls, DriverSet given);

    void begin();
    void end();

    // --- deployment.cpp: what comes from outside
    void apply(const Plan& wanted, const std::map<Digest, Manifest>& manifests);
    void want(const Service& service, const Manifest& manifest);
    void replace(Live& live, ServiceVersion target);
    void fire(Live& live, Event event);
    void act(const std::string& action, const std::string& service, const std::string& argument,
             std::function<void(Result<std::string>)> done, int tries_left = 100);

    // --- engine_steps.cpp: the way through the table
    void advance_all();
    void advance(Live& live);
    void advance_wait(Live& live);
    void advance_artifact(Live& live);
    void move(Live& live, Event event, std::string detail = {});
    void run_step(Live& live);
    void finish_step(const std::string& name, Step step, Result<void> result);
    void failed_step(Live& live, const Error& error);
    void arrived(Live& live);
    void store(Live& live);
    void poll_watch(Live& live);
    void on_sample(Live& live, Result<WatchSample> sample);
    [[nodiscard]] std::map<std::string, RecordSummary> known_site() const;
    [[nodiscard]] bool gate_open(Live& live);
    [[nodiscard]] bool after_open(Live& live);

    // --- engine_reconcile.cpp: keeping it so
    void tick();
    void schedule_tick();
    void reconcile(Live& live);
    void on_observed(Live& live, Result<Observation> seen, const std::string& checks);
    void recall_if_asked();
    void refresh_pins();
    void discard_unused(const JournalEntry& entry, const ServiceVersion& old);
    [[nodiscard]] std::int64_t backoff(std::uint32_t attempts, std::int64_t low, std::int64_t high);
    [[nodiscard]] ServiceStatus status_of(const Live& live) const;
    void changed();

    // --- effects, on a worker; `self` is alive while they run
    struct Job {
        Step step;
        JournalEntry entry;
        std::string artifact_path;
    };
    Result<void> effect(const Job& job);
    Result<void> start_again(const Job& job);
    Result<Instance> instance_of(const ServiceVersion& version, const std::string& path) const;
    [[nodiscard]] Result<Driver*> driver_for(ArtifactType type) const;
    /// Runs `work` on the pool, then `then(result)` on the loop unless the engine is gone.
    template <class Work, class Then>
    void in_background(Work work, Then then);

    boost::asio::io_context& io;
    DeploySettings settings;
    DeployCallbacks callbacks;
    Journal journal;
    SigningKey identity;
    DriverSet drivers;
    std::string this_boot;
    boost::asio::steady_timer timer;
    std::mt19937 random;

    std::optional<Plan> plan;
    std::map<std::string, Live> live;
    std::map<Digest, Manifest> manifests_by_sha;
    std::map<Digest, std::string> artifact_paths;
    std::map<std::string, RecordSummary> site;
    std::set<Digest> pinned;
    std::vector<std::string> problems;  ///< journal and driver notices
    std::set<std::string> host_lacks;   ///< what probes said
    bool changed_posted = false;
    bool ended = false;
    std::int64_t next_reconcile_ms = 0;
    std::int64_t tick_due_ms = -1;     ///< the timer's; -1 = not set
    std::unique_ptr<WorkerPool> pool;  // last: its jobs use the rest
};

[[nodiscard]] std::int64_t steady_ms_now();

template <class Work, class Then>
void Deployment::Impl::in_background(Work work, Then then) {
    // A raw pointer is safe in the job: end() waits for the pool before the engine goes.
    pool->post(
        [self = weak_from_this(), this, work = std::move(work), then = std::move(then)]() mutable {
            auto result = std::make_shared<decltype(work())>(work());
            io.post([self, result, then = std::move(then)]() mutable {
                const auto alive = self.lock();
                if (!alive || alive->ended) return;
                then(std::move(*result));
                alive->schedule_tick();
            });
        });
}

}  // namespace clarity
