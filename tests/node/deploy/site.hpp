#pragma once

#include <utility>

#include <boost/asio/io_context.hpp>

#include "fake_driver.hpp"
#include "node/deploy/deployment.hpp"
#include "storage/kv.hpp"

namespace clarity {

/// A store in memory that can die: after `writes_left` writes nothing is kept any more, as after
/// a kill.
class MemoryStore final : public KeyValueStore {
  public:
    std::map<std::string, Bytes, std::less<>> data;
    mutable std::mutex mutex;
    int writes_left = -1;  ///< -1 = for ever
    std::function<void()> on_death;

    Result<std::optional<Bytes>> get(std::string_view key) const override {
        const std::lock_guard lock(mutex);
        const auto found = data.find(key);
        return found == data.end() ? std::nullopt : std::optional(found->second);
    }
    Result<void> put(std::string_view key, std::string_view value, Sync) override {
        const std::lock_guard lock(mutex);
        if (writes_left == 0) return fail(Errc::cancelled, "killed");
        if (writes_left > 0) --writes_left;
        data[std::string(key)] = Bytes(value);
        return {};
    }
    Result<void> erase(std::string_view key, Sync) override {
        const std::lock_guard lock(mutex);
        if (writes_left == 0) return fail(Errc::cancelled, "killed");
        data.erase(std::string(key));
        return {};
    }
    Result<void> apply(const Batch&, Sync) override { return fail(Errc::unavailable, "unused"); }
    Result<void> scan(std::string_view prefix, const Visit& visit) const override {
        const std::lock_guard lock(mutex);
        for (const auto& [key, value] : data) {
            if (key.starts_with(prefix) && !visit(key, value)) break;
        }
        return {};
    }
    Result<void> scan_back(std::string_view, const Visit&) const override {
        return fail(Errc::unavailable, "unused");
    }
};

/// One server: store and fake host stay, engines come and go.
struct TestServer {
    std::string id = "server-1";
    MemoryStore store;
    std::shared_ptr<FakeDriver> host = std::make_shared<FakeDriver>();
    SigningKey key = SigningKey::generate();
    std::vector<std::string> asked;
    std::set<Digest> pins;
    bool artifacts_come = true;
    std::unique_ptr<boost::asio::io_context> io;
    std::unique_ptr<Deployment> engine;
    std::map<Digest, Manifest> manifests;

    void boot() {
        io = std::make_unique<boost::asio::io_context>();
        DeploySettings settings;
        settings.server_id = id;
        settings.reconcile_ms = 10;
        settings.watch_poll_ms = 5;
        settings.heal_backoff_min_ms = 10;
        settings.heal_backoff_max_ms = 50;
        settings.retry_backoff_min_ms = 60'000;
        DeployCallbacks calls;
        calls.need_artifact = [this](const Manifest& manifest) {
            asked.push_back(manifest.version);
            if (artifacts_come) {
                io->post([this, sha = manifest.sha256] { engine->artifact_ready(sha, "/x"); });
            }
        };
        calls.pin = [this](const Digest& each) { pins.insert(each); };
        calls.unpin = [this](const Digest& each) { pins.erase(each); };
        engine = std::make_unique<Deployment>(
            *io, settings, store, key, calls,
            DriverSet{{ArtifactType::binary, host}, {ArtifactType::script, host}});
    }
    void kill() {
        engine.reset();
        io.reset();
    }
    template <class Condition>
    bool until(Condition condition, int timeout_ms = 5000) {
        const auto deadline =
            std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
        while (!condition()) {
            if (std::chrono::steady_clock::now() > deadline) return false;
            io->run_one_for(std::chrono::milliseconds(5));
        }
        return true;
    }
    bool settle() {
        return until([this] { return engine->settled() && !engine->services().empty(); });
    }
    ServiceStatus status(const std::string& name) const {
        for (const auto& each : engine->services()) {
            if (each.name == name) return each;
        }
        return {};
    }

    Service service(const std::string& name, const std::string& version) {
        Manifest manifest;
        manifest.artifact = name;
        manifest.version = version;
        for (std::size_t i = 0; i < std::min<std::size_t>(version.size(), 32); ++i) {
            manifest.sha256.data[i] = static_cast<std::uint8_t>(version[i]);
        }
        manifest.sha256.data[31] = static_cast<std::uint8_t>(name[0]);
        Service out;
        out.name = name;
        out.version = version;
        out.manifest = manifest.sha256;
        out.watch.stable_s = 0;
        out.watch.timeout_s = 0;
        manifests[out.manifest] = manifest;
        return out;
    }
    Plan plan(std::uint64_t seq, std::vector<Service> services) const {
        Plan out;
        out.client = "acme";
        out.datacenter = "dc-1";
        out.seq = seq;
        out.servers.push_back({id, std::move(services)});
        return out;
    }
    void apply(const Plan& wanted) { engine->apply(wanted, manifests); }
};

}  // namespace clarity
