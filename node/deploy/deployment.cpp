#include "node/deploy/deployment.hpp"

#include <algorithm>

#include "node/deploy/engine.hpp"
#include "node/drivers/process.hpp"
#include "protocol/log/log.hpp"

namespace clarity {
namespace {

constexpr auto busy_retry = std::chrono::milliseconds(50);

}  // namespace

std::int64_t steady_ms_now() {
    using namespace std::chrono;
    return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

Deployment::Impl::Impl(boost::asio::io_context& loop, DeploySettings wanted, KeyValueStore& store,
                       const SigningKey& key, DeployCallbacks calls, DriverSet given)
    : io(loop),
      settings(std::move(wanted)),
      callbacks(std::move(calls)),
      journal(store),
      identity(key),
      drivers(std::move(given)),
      this_boot(boot_id()),
      timer(loop),
      random(std::random_device{}()),
      pool(std::make_unique<WorkerPool>(std::max(settings.workers, 1U))) {}

void Deployment::Impl::begin() {
    if (drivers.empty()) {
        DriverSettings host;
        host.node_id = settings.server_id;
        host.state_dir = settings.state_dir + "/deploy";
        host.service_root = settings.service_root.empty() ? settings.state_dir + "/services"
                                                          : settings.service_root;
        host.agent_program = settings.agent_program;
        host.docker_socket = settings.docker_socket;
        host.service_manager = settings.service_manager;
        auto made = make_drivers(host);
        if (made) drivers = std::move(*made);
        else problems.push_back(made.error().message);
    }
    for (auto& [name, entry] : journal.load(problems)) live[name].entry = std::move(entry);
    for (auto& [name, each] : live) {
        if (each.entry.step == Step::running) each.state = ServiceState::starting;
        if (each.entry.step == Step::held) each.state = ServiceState::stopped;
        if (each.entry.step == Step::failed) each.state = ServiceState::failed;
    }
    refresh_pins();
    timer.expires_after(std::chrono::milliseconds(0));
    timer.async_wait([self = weak_from_this()](auto error) {
        if (const auto alive = self.lock(); alive && !error) alive->tick();
    });
}

void Deployment::Impl::end() {
    ended = true;
    timer.cancel();
    pool.reset();
}

void Deployment::Impl::apply(const Plan& wanted, const std::map<Digest, Manifest>& manifests) {
    plan = wanted;
    const auto* mine = plan->find(settings.server_id);
    std::set<std::string> names;
    for (const auto& service : mine == nullptr ? std::vector<Service>{} : mine->services) {
        names.insert(service.name);
        const auto manifest = manifests.find(service.manifest);
        if (manifest != manifests.end()) {
            want(service, manifest->second);
            continue;
        }
        auto& each = live[service.name];  // the agent applies again once it has the manifest
        each.entry.name = service.name;
        if (!each.entry.target) each.entry.detail = "waits for the manifest of " + service.version;
    }
    for (auto& [name, each] : live) {
        if (!names.contains(name)) fire(each, Event::drop);
    }
    refresh_pins();
    advance_all();
    changed();
}

void Deployment::Impl::want(const Service& service, const Manifest& manifest) {
    manifests_by_sha[manifest.sha256] = manifest;
    auto& each = live[service.name];
    auto& entry = each.entry;
    ServiceVersion target{service, manifest.sha256, instance_key(service, manifest.sha256)};
    const auto going_to = each.new_target ? each.new_target : entry.target;
    const bool same = going_to && going_to->key == target.key && each.interrupt != Event::drop &&
                      entry.step != Step::remove && entry.step != Step::gone;
    const bool tried_before = same && entry.failed && entry.plan_seq < plan->seq;
    if (same && !tried_before) {
        if (each.new_target) each.new_target = target;
        else entry.target = target;  // order, autostart or watch may differ
        const bool there = is_at_rest(entry.step) || entry.step == Step::heal;
        if (!entry.failed && there) entry.plan_seq = plan->seq;
        return;
    }
    // Back to what runs all the while: nothing is touched.
    if (entry.failed && !each.storing && entry.good && entry.good->key == target.key &&
        entry.installed && entry.installed->key == target.key && entry.step == Step::failed) {
        entry.target = entry.good = target;
        entry.failed = false;
        entry.detail.clear();
        entry.plan_seq = plan->seq;
        entry.step = Step::running;
        each.state = ServiceState::starting;
        each.interrupt.reset();
        return store(each);
    }
    entry.name = service.name;
    replace(each, std::move(target));
}

void Deployment::Impl::replace(Live& each, ServiceVersion target) {
    each.new_target = std::move(target);
    each.new_seq = plan->seq;
    fire(each, Event::replace);
}

/// An event from outside: at once, or after the job that runs.
void Deployment::Impl::fire(Live& each, Event event) {
    if (each.busy) {
        each.interrupt = event;
        return;
    }
    move(each, event);
}

void Deployment::Impl::act(const std::string& action, const std::string& service,
                           const std::string& argument,
                           std::function<void(Result<std::string>)> done, int tries_left) {
    const auto found = live.find(service);
    if (found == live.end() || !found->second.entry.installed) {
        return done(fail(Errc::not_found, "service \"{}\" is not installed here", service));
    }
    auto& each = found->second;
    const auto type = each.entry.installed->service.type;
    if (action == "logs") {
        const auto lines =
            static_cast<std::uint32_t>(std::clamp(std::atoi(argument.c_str()), 0, 1000));
        in_background(
            [this, type, service, lines]() -> Result<std::string> {
                CLARITY_TRY(auto* driver, driver_for(type));
                return driver->logs(service, lines == 0 ? 100 : lines);
            },
            done);
        return;
    }
    if (each.busy) {  // mostly a look at it, over in a moment
        if (tries_left == 0) {
            return done(fail(Errc::conflict, "{} is being worked on: try again", service));
        }
        auto later = std::make_shared<boost::asio::steady_timer>(io, busy_retry);
        later->async_wait(
            [self = weak_from_this(), later, action, service, argument, done, tries_left](auto) {
                const auto alive = self.lock();
                if (alive && !alive->ended)
                    alive->act(action, service, argument, done, tries_left - 1);
            });
        return;
    }
    if (action == "start") {
        if (each.entry.step == Step::held) {
            fire(each, Event::release);
            advance_all();
        }
        return done(std::string("started"));
    }
    if (action != "stop" && action != "restart") {
        return done(
            fail(Errc::invalid, "unknown action \"{}\": use start, stop, restart or logs", action));
    }
    if (!next_step(each.entry.step, Event::hold) && each.entry.step != Step::held) {
        return done(fail(Errc::conflict, "{} is being deployed: try again later", service));
    }
    if (each.entry.step != Step::held) fire(each, Event::hold);
    const auto grace = std::chrono::milliseconds(settings.stop_grace_ms);
    each.busy = true;
    in_background(
        [this, entry = each.entry, type, grace]() -> Result<void> {
            CLARITY_CHECK(journal.put(entry));
            CLARITY_TRY(auto* driver, driver_for(type));
            return driver->stop(entry.name, grace);
        },
        [this, service, action, done](Result<void> result) {
            auto& stopped = live[service];
            stopped.busy = false;
            stopped.state = ServiceState::stopped;
            if (stopped.interrupt) move(stopped, *std::exchange(stopped.interrupt, {}));
            else if (result && action == "restart") move(stopped, Event::release);
            advance_all();
            changed();
            if (!result) return done(tl::unexpected<Error>(result.error()));
            done(action == "restart" ? std::string("restarted") : std::string("stopped"));
        });
    changed();
}

Deployment::Deployment(boost::asio::io_context& io, DeploySettings settings, KeyValueStore& store,
                       const SigningKey& identity, DeployCallbacks callbacks, DriverSet drivers)
    : impl_(std::make_shared<Impl>(io, std::move(settings), store, identity, std::move(callbacks),
                                   std::move(drivers))) {
    impl_->begin();
}

Deployment::~Deployment() {
    impl_->end();
}

void Deployment::apply(const Plan& plan, const std::map<Digest, Manifest>& manifests) {
    impl_->apply(plan, manifests);
}

void Deployment::artifact_ready(const Digest& sha256, const std::string& path) {
    impl_->artifact_paths[sha256] = path;
    for (auto& [name, each] : impl_->live) {
        if (each.entry.target && each.entry.target->sha256 == sha256) {
            const bool lacked_it = each.artifact_error && each.entry.step == Step::failed;
            each.artifact_error.reset();
            if (lacked_it) impl_->fire(each, Event::retry);
        }
    }
    impl_->advance_all();
}

void Deployment::artifact_failed(const Digest& sha256, const Error& error) {
    for (auto& [name, each] : impl_->live) {
        if (!each.entry.target || each.entry.target->sha256 != sha256) continue;
        if (each.entry.step == Step::artifact) each.artifact_error = error;
    }
    impl_->advance_all();
}

void Deployment::set_site(const std::map<std::string, RecordSummary>& site) {
    impl_->site = site;
    impl_->recall_if_asked();
    impl_->advance_all();
}

void Deployment::act(const std::string& action, const std::string& service,
                     const std::string& argument, std::function<void(Result<std::string>)> done) {
    impl_->act(action, service, argument, std::move(done));
}

std::vector<ServiceStatus> Deployment::services() const {
    std::vector<ServiceStatus> out;
    for (const auto& [name, each] : impl_->live) out.push_back(impl_->status_of(each));
    return out;
}

bool Deployment::settled() const {
    return std::all_of(impl_->live.begin(), impl_->live.end(), [](const auto& each) {
        const auto step = each.second.entry.step;
        if (each.second.storing) return false;
        return (is_at_rest(step) && !each.second.interrupt) || step == Step::heal ||
               step == Step::back_heal || each.second.blocked;
    });
}

bool Deployment::failed() const {
    return std::any_of(impl_->live.begin(), impl_->live.end(), [](const auto& each) {
        return each.second.entry.failed || each.second.blocked;
    });
}

std::vector<std::string> Deployment::notices() const {
    auto out = impl_->problems;
    out.insert(out.end(), impl_->host_lacks.begin(), impl_->host_lacks.end());
    return out;
}

}  // namespace clarity
