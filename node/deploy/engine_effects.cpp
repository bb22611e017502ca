// What steps do, on a worker thread. Nothing of the loop's state is touched here.
#include "node/deploy/engine.hpp"
#include "node/drivers/process.hpp"

namespace clarity {

Result<Driver*> Deployment::Impl::driver_for(ArtifactType type) const {
    const auto found = drivers.find(type);
    if (found == drivers.end() || !found->second) {
        return fail(Errc::unavailable, "artifacts of type {} cannot run on this host",
                    name_of(type));
    }
    return found->second.get();
}

Result<Instance> Deployment::Impl::instance_of(const ServiceVersion& version,
                                               const std::string& path) const {
    Instance out;
    out.service = version.service;
    out.sha256 = version.sha256;
    out.key = version.key;
    out.artifact_path = path;
    if (!version.service.sealed_config.empty()) {
        auto plain = identity.open_sealed(version.service.sealed_config);
        if (!plain) {
            return fail_within(
                "configuration of " + version.service.name + " is not sealed to this server's key",
                std::move(plain));
        }
        CLARITY_TRY(out.config, ServiceConfig::decode(*plain));
    }
    out.service.sealed_config.clear();
    return out;
}

/// Whatever is missing is made again: folders, files, container or unit.
Result<void> Deployment::Impl::start_again(const Job& job) {
    if (!job.entry.installed) return fail(Errc::not_found, "nothing is installed to start");
    CLARITY_TRY(const auto instance, instance_of(*job.entry.installed, job.artifact_path));
    CLARITY_TRY(auto* driver, driver_for(instance.service.type));
    CLARITY_TRY(const auto seen, driver->observe(instance.service.name));
    if (seen.state == RunState::running && seen.key == instance.key) return {};
    const auto grace = std::chrono::milliseconds(settings.stop_grace_ms);
    CLARITY_CHECK(driver->stop(instance.service.name, grace));
    CLARITY_CHECK(driver->prepare(instance));
    CLARITY_CHECK(driver->configure(instance));
    CLARITY_CHECK(driver->set_up(instance));
    return driver->start(instance);
}

Result<void> Deployment::Impl::effect(const Job& job) {
    const auto& entry = job.entry;
    CLARITY_CHECK(journal.put(entry));
    const auto grace = std::chrono::milliseconds(settings.stop_grace_ms);
    using enum Step;
    if (job.step == heal || job.step == back_heal) return start_again(job);
    if (job.step == remove) {
        const auto& there = entry.installed ? entry.installed : entry.target;
        if (there) {
            CLARITY_TRY(auto* driver, driver_for(there->service.type));
            if (entry.installed) CLARITY_CHECK(driver->remove(entry.name));
            for (const auto& each : {entry.target, entry.good, entry.previous, entry.installed}) {
                if (!each) continue;
                CLARITY_TRY(auto* its, driver_for(each->service.type));
                CLARITY_CHECK(its->discard(entry.name, each->service.version));
            }
        }
        return journal.erase(entry.name);
    }
    const bool back = job.step >= back_stop && job.step <= back_watch;
    const auto& version = back ? *entry.good : *entry.target;
    CLARITY_TRY(const auto instance, instance_of(version, job.artifact_path));
    CLARITY_TRY(auto* driver, driver_for(version.service.type));
    switch (job.step) {
        case validate: CLARITY_CHECK(driver->probe()); return driver->validate(instance);
        case prepare:
        case back_prepare: return driver->prepare(instance);
        case configure:
        case back_configure: return driver->configure(instance);
        case stop_old:
        case back_stop: {
            if (!entry.installed) return {};
            const auto& old = entry.installed->service;
            CLARITY_TRY(auto* its, driver_for(old.type));
            CLARITY_TRY(const auto seen, its->observe(old.name));
            if (seen.state == RunState::running && seen.key == version.key) return {};
            CLARITY_CHECK(its->stop(old.name, grace));
            return its == driver ? Result<void>() : its->remove(old.name);
        }
        case set_up:
        case back_set_up: {
            CLARITY_TRY(const auto seen, driver->observe(entry.name));
            if (seen.state == RunState::running || seen.state == RunState::waiting) {
                if (seen.key == version.key) return {};
                CLARITY_CHECK(driver->stop(entry.name, grace));
            }
            return driver->set_up(instance);
        }
        case start:
        case back_start: return driver->start(instance);
        default: return {};
    }
}

}  // namespace clarity
