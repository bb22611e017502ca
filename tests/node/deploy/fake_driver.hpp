#pragma once

#include <map>
#include <mutex>
#include <set>
#include <stdexcept>

#include "node/drivers/driver.hpp"

namespace clarity {

/// A host in memory, outliving engines. Strict: an effect that no sane host could carry out (set up
/// over a running service, start of what is not set up, an unprepared artifact) is noted as a
/// violation. Errors and kills are injected by name of the call.
class FakeDriver final : public Driver {
  public:
    struct There {
        std::string key, version;
        bool running = false;
        std::int64_t started_unix_ms = 0;
        int exit_code = 0;
        std::uint32_t starts = 0;
    };
    std::mutex mutex;
    std::map<std::string, There> there;
    std::set<std::string> prepared;                 ///< name/version
    std::map<std::string, std::string> configured;  ///< name → key
    std::map<std::string, int> calls;
    std::map<std::string, int> errors;  ///< call "start 2.0" fails so many times; -1 = always
    std::set<std::string> crashing;     ///< versions that end right after their start
    std::vector<std::string> violations;
    std::string stall;           ///< this call blocks until it is cleared: a kill hits it
    std::set<std::string> lost;  ///< calls whose result is an error after the effect took place

    std::string_view name() const override { return "fake"; }
    Result<void> probe() override { return {}; }
    Result<void> validate(const Instance& i) override { return note("validate", i); }
    Result<void> prepare(const Instance& i) override {
        CLARITY_CHECK(note("prepare", i));
        const std::lock_guard lock(mutex);
        const auto id = i.service.name + "/" + i.service.version;
        if (!prepared.contains(id) && i.artifact_path.empty()) {
            violations.push_back("prepare " + id + " without its artifact");
        }
        prepared.insert(id);
        return {};
    }
    Result<void> configure(const Instance& i) override {
        CLARITY_CHECK(note("configure", i));
        const std::lock_guard lock(mutex);
        configured[i.service.name] = i.key;
        return {};
    }
    Result<void> set_up(const Instance& i) override {
        CLARITY_CHECK(note("set_up", i));
        const std::lock_guard lock(mutex);
        auto& t = there[i.service.name];
        if (t.running) violations.push_back("set_up over a running " + t.version);
        if (!prepared.contains(i.service.name + "/" + i.service.version)) {
            violations.push_back("set_up of unprepared " + i.service.version);
        }
        if (configured[i.service.name] != i.key) violations.push_back("set_up unconfigured");
        t.key = i.key;
        t.version = i.service.version;
        return {};
    }
    Result<void> start(const Instance& i) override {
        CLARITY_CHECK(note("start", i));
        const std::lock_guard lock(mutex);
        auto& t = there[i.service.name];
        if (t.key != i.key) violations.push_back("start of what is not set up");
        if (t.running) return {};
        ++t.starts;
        t.running = !crashing.contains(i.service.version);
        t.exit_code = t.running ? 0 : 3;
        return {};
    }
    Result<void> stop(const std::string& service, std::chrono::milliseconds) override {
        const std::lock_guard lock(mutex);
        ++calls["stop"];
        if (auto left = errors.find("stop"); left != errors.end() && left->second-- > 0) {
            return fail(Errc::failed, "injected: stop");
        }
        if (const auto t = there.find(service); t != there.end()) t->second.running = false;
        return {};
    }
    Result<void> remove(const std::string& service) override {
        const std::lock_guard lock(mutex);
        ++calls["remove"];
        if (auto left = errors.find("remove"); left != errors.end() && left->second-- > 0) {
            return fail(Errc::failed, "injected: remove");
        }
        there.erase(service);
        return {};
    }
    Result<void> discard(const std::string& service, const std::string& version) override {
        const std::lock_guard lock(mutex);
        if (there.contains(service) && there[service].version == version) {
            violations.push_back("discard of what is set up");
        }
        prepared.erase(service + "/" + version);
        return {};
    }
    Result<Observation> observe(const std::string& service) override {
        const std::lock_guard lock(mutex);
        Observation out;
        const auto found = there.find(service);
        if (found == there.end() || found->second.key.empty()) return out;
        out.key = found->second.key;
        out.state = found->second.running ? RunState::running : RunState::stopped;
        out.exit_code = found->second.exit_code;
        return out;
    }
    Result<std::string> logs(const std::string&, std::uint32_t) override { return "log"; }

  private:
    Result<void> note(const std::string& call, const Instance& i) {
        const std::lock_guard lock(mutex);
        ++calls[call];
        ++calls[call + " " + i.service.version];
        const auto left = errors.find(call + " " + i.service.version);
        if (left != errors.end() && left->second != 0) {
            if (left->second > 0) --left->second;
            return fail(Errc::failed, "injected: {} of {}", call, i.service.version);
        }
        return {};
    }
};

}  // namespace clarity
