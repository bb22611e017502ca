#include "node/workloads.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <ctime>
#include <optional>
#include <set>

#include "node/deploy/deployment.hpp"
#include "node/deploy/worker_pool.hpp"
#include "protocol/log/log.hpp"
#include "protocol/orders.hpp"
#include "protocol/x509.hpp"

namespace clarity {
namespace {

const std::string pin_owner = "deploy";

/// Worth telling the services that wait; the rest heals by itself and is only shown.
bool is_lasting(Errc code) {
    switch (code) {
        case Errc::network:
        case Errc::timeout:
        case Errc::cancelled: return false;
        default: return true;
    }
}

}  // namespace

struct Workloads::Impl : std::enable_shared_from_this<Workloads::Impl> {
    Impl(boost::asio::io_context& io, const Identity& who, std::function<void()> on_change)
        : loop(io), identity(who), changed(std::move(on_change)), timer(io) {}

    boost::asio::io_context& loop;
    const Identity& identity;
    std::function<void()> changed;
    boost::asio::steady_timer timer;  ///< the plan's not-before
    std::unique_ptr<ArtifactCache> cache;
    std::unique_ptr<Swarm> swarm;
    std::unique_ptr<Deployment> deployment;
    Plan plan;
    std::map<Digest, Manifest> manifests;
    std::set<Digest> held_by_others;  ///< complete copies elsewhere at the site
    std::map<Digest, std::string> fetch_errors;
    std::optional<WorkerPool> workers{std::in_place, 1U};  ///< last: ends first

    DeployCallbacks deploy_callbacks() {
        const auto self = weak_from_this();
        DeployCallbacks out;
        out.need_artifact = [self](const Manifest& manifest) {
            if (const auto me = self.lock()) me->need(manifest);
        };
        out.changed = [self] {
            if (const auto me = self.lock()) me->changed();
        };
        out.pin = [self](const Digest& sha256) {
            const auto me = self.lock();
            if (!me) return;
            const auto pinned = me->cache->pin(sha256, pin_owner);
            if (!pinned) log::error("cache: {}", pinned.error().message);
        };
        out.unpin = [self](const Digest& sha256) {
            const auto me = self.lock();
            if (!me) return;
            const auto unpinned = me->cache->unpin(sha256, pin_owner);
            if (!unpinned) log::error("cache: {}", unpinned.error().message);
        };
        return out;
    }

    SwarmCallbacks swarm_callbacks() {
        const auto self = weak_from_this();
        SwarmCallbacks out;
        out.on_complete = [self](const Digest& sha256, const std::string& path) {
            const auto me = self.lock();
            if (!me) return;
            me->fetch_errors.erase(sha256);
            if (me->deployment) me->deployment->artifact_ready(sha256, path);
            me->changed();
        };
        out.on_error = [self](const Digest& sha256, const Error& error) {
            const auto me = self.lock();
            if (!me) return;
            auto& known = me->fetch_errors[sha256];
            if (known != error.message) log::warning("{}", error.message);
            known = error.message;
            if (me->deployment && is_lasting(error.code)) {
                me->deployment->artifact_failed(sha256, error);
            }
            me->changed();
        };
        out.on_changed = [self] {
            if (const auto me = self.lock()) me->changed();
        };
        return out;
    }

    /// Makes room on a worker, then asks the swarm.
    void need(const Manifest& manifest) {
        if (const auto path = cache->find(manifest.sha256)) {
            swarm->seed(manifest);
            deployment->artifact_ready(manifest.sha256, *path);
            return;
        }
        auto candidates = servers_wanting(plan, manifests, manifest.sha256);
        const auto correlation = plan.correlation_id;
        workers->post([self = weak_from_this(), manifest, correlation,
                       candidates = std::move(candidates), elsewhere = held_by_others]() mutable {
            const auto me = self.lock();
            if (!me) return;
            const auto dropped = me->cache->collect(
                [&](const CachedArtifact& each) { return elsewhere.contains(each.sha256); },
                manifest.size_bytes);
            if (!dropped) log::warning("cache: {}", dropped.error().message);
            boost::asio::post(me->loop, [self, manifest, correlation,
                                         gone = dropped.value_or(std::vector<Digest>{}),
                                         candidates = std::move(candidates)]() mutable {
                const auto again = self.lock();
                if (!again || !again->swarm) return;
                for (const auto& digest : gone) again->swarm->forget(digest);
                again->swarm->want(manifest, correlation, std::move(candidates));
            });
        });
    }

    void open_repositories() {
        const auto at = plan.sealed_repositories.find(identity.server_id);
        if (at == plan.sealed_repositories.end()) return;
        const auto plain = identity.key.open_sealed(at->second);
        auto repositories = plain ? RepositorySet::decode(*plain)
                                  : Result<RepositorySet>(tl::unexpected(plain.error()));
        if (!repositories) {
            log::error("plan {}: repositories: {}", plan.seq, repositories.error().message);
            return;
        }
        swarm->set_repositories(*std::move(repositories));
    }

    void apply_now() {
        open_repositories();
        for (const auto& [digest, manifest] : manifests) {
            if (cache->find(manifest.sha256)) swarm->seed(manifest);
        }
        deployment->apply(plan, manifests);
    }
};

Result<std::unique_ptr<Workloads>> Workloads::start(boost::asio::io_context& loop,
                                                    const AgentConfig& config,
                                                    const Identity& identity, KeyValueStore& store,
                                                    std::string ca_pem,
                                                    std::function<void()> changed) {
    auto impl = std::make_shared<Impl>(loop, identity, std::move(changed));
    CacheSettings cache;
    cache.root = config.state_dir + "/cache";
    cache.size_max_bytes = config.cache_size_max_bytes;
    CLARITY_TRY(impl->cache, ArtifactCache::open(std::move(cache), store));
    SwarmSettings swarm;
    swarm.server_id = identity.server_id;
    swarm.listen = config.swarm_listen;
    swarm.state_dir = config.state_dir + "/swarm";
    swarm.certificate_pem = identity.certificate_pem;
    CLARITY_TRY(swarm.private_key_pem, x509::private_key_pem(identity.key));
    swarm.ca_pem = std::move(ca_pem);
    swarm.wan_rate_limit_bytes_s = config.wan_rate_limit_bytes_s;
    auto started = Swarm::start(loop, std::move(swarm), *impl->cache, impl->swarm_callbacks());
    if (!started) return fail_within("swarm.listen", std::move(started));
    impl->swarm = *std::move(started);
    DeploySettings deploy;
    deploy.server_id = identity.server_id;
    deploy.state_dir = config.state_dir;
    deploy.docker_socket = config.docker_socket;
    deploy.service_manager = config.service_manager;
    impl->deployment = std::make_unique<Deployment>(loop, std::move(deploy), store, identity.key,
                                                    impl->deploy_callbacks());
    auto out = std::unique_ptr<Workloads>(new Workloads);
    out->impl_ = std::move(impl);
    return out;
}

Workloads::~Workloads() {
    if (!impl_) return;
    impl_->timer.cancel();
    impl_->workers.reset();
    impl_->deployment.reset();
    impl_->swarm.reset();
}

void Workloads::set_site(const SiteSnapshot& site) {
    auto claims = site_claims(site);
    impl_->held_by_others.clear();
    for (const auto& [id, server] : claims.servers) {
        if (!server.alive) continue;
        for (const auto& holding : server.holdings) {
            if (holding.complete) impl_->held_by_others.insert(holding.sha256);
        }
    }
    std::vector<SwarmPeer> peers;
    for (const auto& member : site.roster->members) {
        if (member.server_id == site.self) continue;
        const auto at = claims.servers.find(member.server_id);
        const bool alive = at != claims.servers.end() && at->second.alive;
        SwarmPeer peer{member.server_id, member.hostname, member.swarm_endpoint, alive, {}};
        if (site.addresses != nullptr) {
            auto known = site.addresses->swarm(member.server_id);
            if (!known.empty()) {
                peer.endpoint = std::move(known.front());
                peer.others.assign(known.begin() + 1, known.end());
            }
        }
        peers.push_back(std::move(peer));
    }
    impl_->swarm->set_peers(std::move(peers));
    impl_->swarm->set_site(std::move(claims));
    impl_->deployment->set_site(record_summaries(site));
}

void Workloads::apply(const Plan& plan, const std::map<Digest, Manifest>& manifests) {
    auto& me = *impl_;
    me.plan = plan;
    me.manifests.clear();
    for (const auto& digest : plan.manifests) {
        const auto at = manifests.find(digest);
        if (at != manifests.end()) me.manifests.insert(*at);
    }
    const auto wait_s = plan.not_before_unix_s - static_cast<std::int64_t>(std::time(nullptr));
    me.timer.cancel();
    if (wait_s <= 0) return me.apply_now();
    log::info_for(plan.correlation_id, "plan {} starts in {} s", plan.seq, wait_s);
    me.timer.expires_after(std::chrono::seconds(wait_s));
    me.timer.async_wait([self = me.weak_from_this()](const auto& error) {
        if (const auto again = self.lock(); again && !error) again->apply_now();
    });
}

void Workloads::act(const Command& command, std::function<void(Result<std::string>)> done) {
    static const std::set<std::string> known{"start", "stop", "restart", "logs"};
    if (!known.contains(command.action)) {
        done(fail(Errc::unavailable, "action \"{}\" is not offered by this agent", command.action));
        return;
    }
    impl_->deployment->act(command.action, command.service, command.argument, std::move(done));
}

void Workloads::describe(Record& record) const {
    record.services = impl_->deployment->services();
    record.plan_settled = impl_->deployment->settled();
    record.plan_failed = impl_->deployment->failed();
    record.holdings = impl_->swarm->holdings();
    record.claims = impl_->swarm->claims();
    for (auto& notice : impl_->deployment->notices()) record.notices.push_back(std::move(notice));
}

WorkloadTotals Workloads::totals() const {
    WorkloadTotals out;
    for (const auto& holding : impl_->swarm->holdings()) {
        out.wan_bytes += holding.wan_bytes;
        out.lan_bytes += holding.lan_bytes;
    }
    out.cache_bytes = impl_->cache->size_bytes();
    out.swarm_connections = impl_->swarm->connections();
    out.swarm_offenders = impl_->swarm->offenders();
    out.fetches = impl_->swarm->fetch_totals();
    return out;
}

bool own_manifests_here(const Plan& plan, const std::string& server_id,
                        const std::map<Digest, Manifest>& manifests) {
    const auto* server = plan.find(server_id);
    if (server == nullptr) return true;
    return std::all_of(server->services.begin(), server->services.end(),
                       [&](const auto& service) { return manifests.contains(service.manifest); });
}

std::vector<std::string> servers_wanting(const Plan& plan,
                                         const std::map<Digest, Manifest>& manifests,
                                         const Digest& sha256) {
    std::vector<std::string> out;
    for (const auto& server : plan.servers) {
        const bool wants =
            std::any_of(server.services.begin(), server.services.end(), [&](const auto& service) {
                const auto at = manifests.find(service.manifest);
                return at != manifests.end() && at->second.sha256 == sha256;
            });
        if (wants) out.push_back(server.server_id);
    }
    return out;
}

}  // namespace clarity
