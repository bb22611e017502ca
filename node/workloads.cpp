#include "node/workloads_impl.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>
#include <ctime>

#include "node/wan_policy.hpp"
#include "protocol/log/log.hpp"
#include "protocol/orders.hpp"
#include "protocol/staging.hpp"
#include "protocol/x509.hpp"

namespace clarity {
namespace {

const std::string pin_owner = "deploy";
constexpr std::size_t expected_manifests_max = 64;

std::int64_t now_unix_s() {
    return std::time(nullptr);
}

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

DeployCallbacks Workloads::Impl::deploy_callbacks() {
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
        // It was in use until now.
        me->cache->touch(sha256, now_unix_s());
    };
    return out;
}

SwarmCallbacks Workloads::Impl::swarm_callbacks() {
    const auto self = weak_from_this();
    SwarmCallbacks out;
    out.on_complete = [self](const Digest& sha256, const std::string& path) {
        const auto me = self.lock();
        if (!me) return;
        me->fetch_errors.erase(sha256);
        me->scrub->completed(sha256);
        if (me->deployment && me->needed.contains(sha256)) {
            me->deployment->artifact_ready(sha256, path);
        }
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
    out.versions = [self](const std::string& artifact) {
        std::vector<const Manifest*> found;
        const auto me = self.lock();
        if (!me) return found;
        for (const auto& [digest, manifest] : me->hooks.manifests()) {
            if (manifest.artifact == artifact) found.push_back(&manifest);
        }
        return found;
    };
    out.make_room = [self](std::uint64_t bytes, std::function<void()> then) {
        if (const auto me = self.lock()) me->keeper->make_room(bytes, std::move(then));
    };
    return out;
}

/// Makes room, then asks the swarm.
void Workloads::Impl::need(const Manifest& manifest) {
    needed.insert(manifest.sha256);
    if (const auto path = cache->find(manifest.sha256)) {
        cache->touch(manifest.sha256, now_unix_s());
        swarm->seed(manifest);
        deployment->artifact_ready(manifest.sha256, *path);
        return;
    }
    fetch(manifest, plan.correlation_id, servers_wanting(plan, manifests, manifest.sha256));
}

/// Makes room, then asks the swarm.
void Workloads::Impl::fetch(const Manifest& manifest, const std::string& correlation,
                            std::vector<std::string> candidates) {
    const auto here = cache->describe(manifest.sha256);
    const auto held = here ? std::min(here->held_bytes, manifest.size_bytes) : 0;
    keeper->make_room(manifest.size_bytes - held, [self = weak_from_this(), manifest, correlation,
                                                   candidates = std::move(candidates)]() mutable {
        const auto me = self.lock();
        if (!me || !me->swarm) return;
        me->swarm->want(manifest, correlation, candidates);
    });
}

/// The plan's, and what prefetches name beside them.
void Workloads::Impl::open_repositories() {
    RepositorySet all;
    const auto at = plan.sealed_repositories.find(identity.server_id);
    if (at != plan.sealed_repositories.end()) {
        add_repositories(fmt::format("plan {}", plan.seq), at->second, all);
    }
    for (const auto& [sha256, order] : prefetches->all()) {
        if (order.repositories.empty()) continue;
        add_repositories("prefetch of " + order.artifact, order.repositories, all);
    }
    swarm->set_repositories(std::move(all));
}

void Workloads::Impl::add_repositories(const std::string& whose, const Bytes& sealed,
                                       RepositorySet& all) const {
    const auto plain = identity.key.open_sealed(sealed);
    auto opened = plain ? RepositorySet::decode(*plain)
                        : Result<RepositorySet>(tl::unexpected(plain.error()));
    if (!opened) {
        log::error("{}: repositories: {}", whose, opened.error().message);
        return;
    }
    for (auto& each : opened->repositories) {
        if (all.find(each.id) == nullptr) all.repositories.push_back(std::move(each));
    }
}

/// What is here of the plan's artifacts, of every version known: who is to fetch one may have none,
/// and gets another from here rather than all over the WAN.
void Workloads::Impl::offer_versions() {
    std::set<std::string> named;
    for (const auto& [digest, manifest] : manifests) named.insert(manifest.artifact);
    for (const auto& [digest, manifest] : hooks.manifests()) {
        if (named.contains(manifest.artifact) && cache->find(manifest.sha256)) {
            swarm->seed(manifest);
        }
    }
}

void Workloads::Impl::apply_now() {
    open_repositories();
    offer_versions();
    deployment->apply(plan, manifests);
    std::vector<Digest> named;
    for (const auto& [digest, manifest] : manifests) named.push_back(manifest.sha256);
    end_prefetches(named);  // from here on the plan's pins hold what it needs
    mend();
}

Result<std::unique_ptr<Workloads>> Workloads::start(boost::asio::io_context& loop,
                                                    const AgentConfig& config,
                                                    const Identity& identity, KeyValueStore& store,
                                                    std::string ca_pem, WorkloadHooks hooks) {
    auto impl = std::make_shared<Impl>(loop, identity, std::move(hooks));
    CacheSettings cache;
    cache.root = config.state_dir + "/cache";
    cache.size_max_bytes = config.cache_size_max_bytes;
    cache.high_percent = config.cache_high_percent;
    cache.low_percent = config.cache_low_percent;
    CLARITY_TRY(impl->cache, ArtifactCache::open(std::move(cache), store));
    CacheKeeperSettings keeper;
    keeper.replicas_min = config.cache_replicas_min;
    impl->keeper = std::make_shared<CacheKeeper>(loop, *impl->cache, keeper, impl->keeper_hooks());
    CacheScrubSettings scrub;
    scrub.percent_a_day = config.cache_scrub_percent_a_day;
    scrub.rate_bytes_s = config.cache_scrub_rate_bytes_s;
    impl->scrub =
        std::make_shared<CacheScrub>(loop, *impl->cache, store, scrub, impl->scrub_hooks());
    impl->cache_orders = std::make_unique<CacheOrders>(*impl->cache, *impl->keeper, *impl->scrub,
                                                       impl->order_hooks());
    CLARITY_TRY(impl->prefetches, Prefetches::load(store));
    SwarmSettings swarm;
    swarm.server_id = identity.server_id;
    swarm.listen = config.swarm_listen;
    swarm.state_dir = config.state_dir + "/swarm";
    swarm.certificate_pem = identity.certificate_pem;
    CLARITY_TRY(swarm.private_key_pem, x509::private_key_pem(identity.key));
    swarm.ca_pem = std::move(ca_pem);
    swarm.wan_rate_limit_bytes_s = config.wan_rate_limit_bytes_s;
    CLARITY_TRY(swarm.wan, wan_policy_of(config));
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
    impl->keeper->start();
    impl->scrub->start();
    auto out = std::unique_ptr<Workloads>(new Workloads);
    out->impl_ = std::move(impl);
    return out;
}

Workloads::~Workloads() {
    if (!impl_) return;
    impl_->timer.cancel();
    impl_->keeper->end();
    impl_->scrub->end();
    impl_->deployment.reset();
    impl_->swarm.reset();
}

void Workloads::set_site(const SiteSnapshot& site) {
    auto claims = site_claims(site);
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
    me.timer.cancel();
    if (!me.is_staged()) return me.apply_now();
    log::info_for(plan.correlation_id, "plan {} is staged: it {}", plan.seq,
                  plan.not_before_unix_s == staged_until_further_unix_s
                      ? "waits for a later plan"
                      : fmt::format("begins in {} s", plan.not_before_unix_s - now_unix_s()));
    me.stage();
    me.wait_to_begin();
}

void Workloads::manifests_changed() {
    impl_->fetch_ahead();
}

void Workloads::expect_manifest(const Digest& manifest) {
    auto& expected = impl_->expected_manifests;
    if (expected.size() >= expected_manifests_max) expected.clear();
    expected.insert(manifest);
}

std::set<Digest> Workloads::wanted_manifests() const {
    auto out = impl_->prefetches->manifests();
    out.insert(impl_->expected_manifests.begin(), impl_->expected_manifests.end());
    return out;
}

void Workloads::act(const Command& command, std::function<void(Result<std::string>)> done) {
    if (cache_order::is_action(command.action)) {
        impl_->cache_orders->act(command, std::move(done));
        return;
    }
    if (act_on_wan(*impl_->swarm, command.action, command.argument, done)) return;
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
    if (impl_->is_staged()) {  // the engine speaks of the plan before
        record.plan_settled = false;
        record.plan_failed = false;
        record.notices.push_back(
            fmt::format("plan {} is staged: nothing of it is started yet", impl_->plan.seq));
    }
    record.holdings = impl_->swarm->holdings();
    record.claims = impl_->swarm->claims();
    record.passes = impl_->swarm->passes();
    record.wan = impl_->swarm->wan();
    impl_->keeper->describe(record);
    for (auto& line : impl_->scrub->notices()) record.notices.push_back(std::move(line));
    for (auto& notice : impl_->deployment->notices()) record.notices.push_back(std::move(notice));
}

WorkloadTotals Workloads::totals() const {
    WorkloadTotals out;
    for (const auto& holding : impl_->swarm->holdings()) {
        out.wan_bytes += holding.wan_bytes;
        out.lan_bytes += holding.lan_bytes;
        if (!holding.wan_parts) continue;
        out.wan_parts.resumed += holding.wan_parts->resumed;
        out.wan_parts.duplicate += holding.wan_parts->duplicate;
        out.wan_parts.repaired += holding.wan_parts->repaired;
    }
    out.cache = impl_->keeper->totals();
    out.scrub = impl_->scrub->totals();
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
