#pragma once

#include <utility>  // before any Boost.Asio header: 1.74 forgets it

#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "node/drivers/driver.hpp"
#include "protocol/rollout.hpp"

namespace clarity {

class KeyValueStore;

/// Places, choices and limits of the engine on this host.
struct DeploySettings {
    std::string server_id;
    std::string state_dir;      ///< the agent's; ours is <state_dir>/deploy
    std::string service_root;   ///< unpacked artifacts; empty = <state_dir>/services
    std::string agent_program;  ///< for `supervise SPEC`; empty = /proc/self/exe
    std::string docker_socket = "/var/run/docker.sock";
    std::string service_manager = "auto";      ///< auto | systemd | builtin
    std::uint32_t workers = 4;                 ///< threads for blocking work
    std::uint32_t reconcile_ms = 2000;         ///< how often drivers are looked at
    std::uint32_t watch_poll_ms = 250;         ///< how often a start is looked at
    std::uint32_t stop_grace_ms = 10'000;      ///< before a service is killed
    std::uint32_t heal_backoff_min_ms = 1000;  ///< first try again, doubled each time
    std::uint32_t heal_backoff_max_ms = 60'000;
    std::uint32_t retry_backoff_min_ms = 30'000;   ///< of a failed deployment with nothing to go
    std::uint32_t retry_backoff_max_ms = 600'000;  ///< back to
};

/// What the engine asks of its owner; all called on the Asio loop.
struct DeployCallbacks {
    std::function<void(const Manifest&)> need_artifact;  ///< may be called again for the same
    std::function<void()> changed;             ///< services(), settled(), failed() or notices()
    std::function<void(const Digest&)> pin;    ///< this artifact runs or a rollback needs it
    std::function<void(const Digest&)> unpin;  ///< neither holds any more
};

/// Brings this server to its part of a plan and keeps it there.
///
/// Per service: validate → artifact → prepare → configure → stop the old → set up → start →
/// watch → report, by the transition table of node/deploy/steps.hpp. A journal entry (synced)
/// goes before each effect, effects are idempotent, so a kill at any point resumes. Blocking work
/// runs on a bounded pool of threads; everything here belongs to the Asio loop's thread.
class Deployment {
  public:
    /// `drivers` empty = the host's own (make_drivers). `store` and `io` outlive this object.
    Deployment(boost::asio::io_context& io, DeploySettings settings, KeyValueStore& store,
               const SigningKey& identity, DeployCallbacks callbacks, DriverSet drivers = {});
    /// Waits for effects that have begun; leaves services running.
    ~Deployment();

    /// The wanted state. The same plan again does nothing. `manifests` by envelope digest: all
    /// that this server's services name.
    void apply(const Plan& plan, const std::map<Digest, Manifest>& manifests);

    /// The verified file is at `path` and stays there while pinned.
    void artifact_ready(const Digest& sha256, const std::string& path);
    /// It cannot be had; the services that wait for it fail until artifact_ready() comes.
    void artifact_failed(const Digest& sha256, const Error& error);

    /// What the other servers say (own id is ignored): opens waves, canaries and batches.
    void set_site(const std::map<std::string, RecordSummary>& site);

    /// Signed commands: start | stop | restart | logs. `done` is called on the loop; logs gives
    /// text. A stopped service stays stopped until start or another version of it.
    void act(const std::string& action, const std::string& service, const std::string& argument,
             std::function<void(Result<std::string>)> done);

    [[nodiscard]] std::vector<ServiceStatus> services() const;
    /// Every service is where the plan wants it, or has failed.
    [[nodiscard]] bool settled() const;
    /// A service of the plan failed (it may run its last good version all the same).
    [[nodiscard]] bool failed() const;
    /// Lines for an operator: what this host lacks.
    [[nodiscard]] std::vector<std::string> notices() const;

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace clarity
