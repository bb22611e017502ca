#include "node/agent.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>

#include "node/agent_impl.hpp"
#include "node/memory.hpp"
#include "node/own_endpoints.hpp"
#include "protocol/artifact_peers.hpp"
#include "protocol/log/log.hpp"
#include "storage/files.hpp"

namespace clarity {
namespace {

constexpr std::int64_t tick_ms = 500;
constexpr std::int64_t quiet_tick_ms = 5000;  ///< settled in, nothing to decide
constexpr std::int64_t site_delay_min_ms = 20;
constexpr std::int64_t site_delay_max_ms = 320;
/// Right after a start, when the others may be starting as well and news come without end.
constexpr std::int64_t site_delay_young_max_ms = 1280;
constexpr std::int64_t site_quiet_ms = 1000;
constexpr std::int64_t result_wait_ms = 30'000;
constexpr std::int64_t settle_in_ms = 10'000;
constexpr std::int64_t addresses_every_ms = 5000;
constexpr std::int64_t endpoints_every_ms = 3000;
constexpr std::string_view addresses_key = "agent/addresses";
constexpr auto leave_delay = std::chrono::milliseconds(250);
constexpr std::string_view member_prefix = "m:";

std::uint64_t seed_of(const Identity& identity) {
    return std::hash<std::string>{}(identity.server_id + random_bytes(8));
}

}  // namespace

std::int64_t unix_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

Agent::Impl::Impl(boost::asio::io_context& io, AgentConfig given, Identity who, KeyValueStore& kv,
                  TrustStore believed)
    : loop(io),
      config(std::move(given)),
      identity(std::move(who)),
      store(kv),
      trust(std::move(believed)),
      policy(trust),
      curve_keys(kv),
      own_record(identity, unix_ms()),
      uplink_decision({}, identity.site, identity.server_id),
      record_timer(io),
      site_timer(io),
      tick_timer(io),
      leave_timer(io) {}

Result<std::unique_ptr<Agent>> Agent::start(boost::asio::io_context& loop, AgentConfig config,
                                            Identity identity, KeyValueStore& store,
                                            TrustStore trust) {
    auto impl = std::make_shared<Impl>(loop, std::move(config), std::move(identity), store,
                                       std::move(trust));
    CLARITY_CHECK(impl->start());
    return std::unique_ptr<Agent>(new Agent(std::move(impl)));
}

Agent::Agent(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Agent::~Agent() {
    auto& me = *impl_;
    me.stopping = true;
    me.record_timer.cancel();
    me.site_timer.cancel();
    me.tick_timer.cancel();
    me.leave_timer.cancel();
    me.http.reset();
    me.beacon.reset();
    me.net.reset();  // nothing is posted after this
    me.uplink.reset();
    me.mesh.reset();
    me.workloads.reset();
}

Result<void> Agent::Impl::start() {
    load_nonces();
    CLARITY_CHECK(start_listeners());
    const auto& ca = trust.roster().ca_pem.empty() ? identity.ca_pem : trust.roster().ca_pem;
    WorkloadHooks hooks;
    hooks.changed = [self = weak_from_this()] {
        if (const auto me = self.lock()) me->touch_record();
    };
    hooks.site = [this] {
        if (mesh) return snapshot();
        return SiteSnapshot{&trust.roster(), identity.server_id, 0, {}, nullptr, nullptr};
    };
    hooks.manifests = [this]() -> const std::map<Digest, Manifest>& { return trust.manifests(); };
    hooks.planned = [this] { return trust.planned_artifacts(); };
    CLARITY_TRY(workloads, Workloads::start(loop, config, identity, store, ca, std::move(hooks)));
    queries = std::make_unique<QueryService>(*net, query_sources());
    if (!config.http_listen.empty()) {
        CLARITY_TRY(http, serve_endpoints(
                              loop, config.http_listen,
                              {[this] { return metrics_text(); }, [this] { return health(); }}));
    }
    start_mesh();
    start_uplink();
    look_at_own_endpoints();
    apply_roster();
    load_addresses();
    start_beacon();
    trust.also_want(workloads->wanted_manifests());
    sync_offers();
    apply_plan();
    workloads->manifests_changed();
    want_what_is_missing();
    sign_record();
    tick();
    log::info("{} of site {} is up: roster {}, plan {}, mesh {}", identity.hostname, identity.site,
              trust.roster().epoch, trust.plan_seq(), config.mesh_listen);
    return {};
}

QuerySources Agent::Impl::query_sources() {
    QuerySources out;
    out.status = [this] { return status_json(view()); };
    out.version = [this] {
        return Json{
            {"version", CLARITY_VERSION}, {"server", identity.hostname}, {"site", identity.site}};
    };
    out.roster_envelope = [this] {
        for (auto& each : trust.held()) {
            if (each.kind == "roster") return std::move(each.bytes);
        }
        return Bytes();
    };
    out.artifact = [this](const std::string& name) {
        std::vector<KnownArtifact> known;
        for (const auto& [digest, each] : trust.manifests()) {
            known.push_back({each.artifact, each.version, each.sha256, each.size_bytes});
        }
        return artifact_peers_json(view(), name, known);
    };
    out.deliver = [this](std::string_view bytes) { return take_document("", Bytes(bytes)); };
    return out;
}

Result<void> Agent::Impl::start_listeners() {
    CLARITY_TRY(net, wire::Wire::start({identity.key.curve_secret(),
                                        [&io = loop](std::function<void()> f) {
                                            boost::asio::post(io, std::move(f));
                                        },
                                        {}}));
    const auto on_frame = [self = weak_from_this()](const std::string& user,
                                                    const wire::Handle& from, Bytes frame) {
        if (const auto me = self.lock()) me->receive(user, from, std::move(frame));
    };
    const auto on_lost = [self = weak_from_this()](const wire::Handle& handle) {
        if (const auto me = self.lock(); me && me->mesh) me->mesh->lost(handle);
    };
    CLARITY_TRY(const auto listener,
                net->listen({config.mesh_listen,
                             "mesh.listen",
                             true,
                             0,
                             on_frame,
                             on_lost,
                             {.site = identity.site, .server = identity.server_id},
                             {static_cast<char>(query::Channel::question)}}));
    mesh_listener = listener.id;
    CLARITY_CHECK(make_dirs(config.run_dir, 0750));
    CLARITY_TRY(
        const auto local,
        net->listen({"ipc://" + config.query_socket(), "run_dir", false, 0660, on_frame, {}}));
    return {};
}

void Agent::Impl::start_mesh() {
    MeshDriverSettings settings;
    settings.site = identity.site;
    settings.self = identity.server_id;
    settings.seed = seed_of(identity);
    settings.incarnation = trust.incarnation() + 1;
    settings.curve_of = [this](const PublicKey& key) { return curve_keys.of(key); };
    MeshCallbacks hooks;
    hooks.changed = [this] { on_site_changed(); };
    hooks.ad_seen = [this](const mesh::DocumentAd& ad) { on_ad(ad); };
    hooks.document = [this](const mesh::DocumentAd& ad, const Bytes& body) {
        if (ad.kind == "command") take_order(body);
        else (void)take_document(ad.kind, body);
    };
    hooks.store_incarnation = [this](std::uint64_t value) {
        return trust.store_incarnation(value);
    };
    hooks.record_jump = [this] {
        own_record.renew();
        sign_record();
    };
    hooks.equivocation = [this](const mesh::Equivocation& each) {
        const auto kept = trust.keep_evidence("record", each.bytes);
        log::warning("{} signed two different records of one version; both are kept as evidence{}",
                     each.owner, kept ? "" : " (not stored: " + kept.error().message + ")");
    };
    mesh = std::make_unique<MeshDriver>(loop, *net, settings, std::move(hooks));
}

/// So that members find each other whose addresses nobody here knows.
void Agent::Impl::start_beacon() {
    if (config.beacon_group.empty()) return;
    LanBeaconSettings settings;
    settings.group = config.beacon_group;
    settings.interface = config.beacon_interface;
    settings.site = identity.site;
    settings.self = identity.server_id;
    LanBeaconCallbacks hooks;
    hooks.roster = [this]() -> const Roster& { return trust.roster(); };
    hooks.endpoints = [this] { return own_endpoints; };
    hooks.incarnation = [this] { return trust.incarnation(); };
    hooks.heard = [this](const std::string& server_id, const Endpoints& endpoints) {
        const bool alive = mesh->mesh().state_of(server_id) == mesh::State::alive;
        mesh->heard(server_id, endpoints);
        return alive;
    };
    hooks.missing = [this] {
        const auto members = mesh->mesh().members();
        return std::any_of(members.begin(), members.end(), [&](const auto& each) {
            return each.id != identity.server_id && each.state != mesh::State::alive;
        });
    };
    beacon = std::make_unique<LanBeacon>(loop, std::move(settings), identity.key, std::move(hooks));
}

void Agent::Impl::start_uplink() {
    UplinkCallbacks hooks;
    hooks.hello = [this] {
        return control::Hello{identity.site,    identity.server_id,   trust.roster().epoch,
                              trust.plan_seq(), trust.root().version, CLARITY_VERSION};
    };
    hooks.views = [this] { return report_views(snapshot()); };
    hooks.record = [this](const std::string& id) { return mesh->mesh().records().find(id); };
    hooks.wants = [this](const control::Ad& ad) { return wants(ad.kind, ad.version, ad.digest); };
    hooks.document = [this](const control::Ad& ad, const Bytes& body) {
        (void)take_document(ad.kind, body);
    };
    hooks.order = [this](const Bytes& envelope) { take_order(envelope); };
    hooks.reach_changed = [this](bool reaches) {
        log::info("{} the coordinator", reaches ? "connected to" : "no connection to");
        if (reaches) send_results();
        touch_record();
    };
    uplink = std::make_unique<Uplink>(loop, *net, UplinkTimes{}, std::move(hooks));
}

void Agent::Impl::receive(const std::string& user, const wire::Handle& from, Bytes frame) {
    if (stopping) return;
    if (query::is(query::Channel::mesh, frame)) {
        if (mesh && user.starts_with(member_prefix)) {
            mesh->receive(user.substr(member_prefix.size()), from, query::body_of(frame));
        }
    } else if (queries && query::is(query::Channel::question, frame)) {
        queries->receive(user, from, frame, mesh ? mesh->now_ms() : 0);
    }
}

/// Gathers changes of a moment: records come in bursts. To look at the whole site costs with its
/// size, so while changes go on coming they are gathered for longer each time.
void Agent::Impl::on_site_changed() {
    if (site_pending || stopping) return;
    site_pending = true;
    const bool quiet = mesh->now_ms() - site_done_ms > site_quiet_ms;
    const auto most = is_settled_in ? site_delay_max_ms : site_delay_young_max_ms;
    site_delay_ms =
        quiet ? site_delay_min_ms : std::clamp(2 * site_delay_ms, site_delay_min_ms, most);
    site_timer.expires_after(std::chrono::milliseconds(site_delay_ms));
    site_timer.async_wait([self = weak_from_this()](const auto& error) {
        const auto me = self.lock();
        if (error || !me || me->stopping) return;
        me->site_pending = false;
        me->site_done_ms = me->mesh->now_ms();
        const auto site = me->snapshot();
        me->workloads->set_site(site);
        me->decide_uplink(site);
        me->uplink->site_changed();
    });
}

/// By rank among those that reach the coordinator; or for a while, to say how a command ended.
void Agent::Impl::decide_uplink() {
    decide_uplink(snapshot());
}

void Agent::Impl::decide_uplink(const SiteSnapshot& site) {
    const bool ranked = uplink_decision.step(mesh->now_ms(), uplink_candidates(site),
                                             uplink->reaches_coordinator());
    if (mesh->now_ms() - results_since_ms > result_wait_ms) results.clear();
    uplink->set(ranked || !results.empty(), uplink_decision.is_primary(),
                trust.roster().coordinators);
}

/// Where the members were when this server last heard of them: some may have moved since the
/// roster, and the coordinator may be away. What cannot be read is learnt anew.
void Agent::Impl::load_addresses() {
    const auto stored = store.get(addresses_key);
    if (!stored) log::warning("addresses of the members: {}", stored.error().message);
    if (!stored || !*stored) return;
    const auto loaded = mesh->load_addresses(**stored);
    if (!loaded) log::warning("addresses of the members: {}", loaded.error().message);
    addresses_stored = mesh->addresses().changes();
}

void Agent::Impl::store_addresses(bool at_once) {
    const auto changes = mesh->addresses().changes();
    const auto now = mesh->now_ms();
    if (changes == addresses_stored) return;
    if (!at_once && now - addresses_stored_ms < addresses_every_ms) return;
    addresses_stored = changes;
    addresses_stored_ms = now;
    const auto stored = store.put(addresses_key, mesh->addresses().encode());
    if (!stored) log::warning("addresses of the members not stored: {}", stored.error().message);
}

/// An advertised interface's address may change while we run.
void Agent::Impl::look_at_own_endpoints() {
    if (mesh->now_ms() < next_endpoints_ms) return;
    next_endpoints_ms = mesh->now_ms() + endpoints_every_ms;
    auto now = own_endpoints_of(config);
    if (now == own_endpoints) return;
    if (!own_endpoints.mesh.empty()) {
        mesh->moved();
        log::info("this server is now at {} and {}", now.mesh, now.swarm);
    }
    own_endpoints = std::move(now);
    if (beacon) beacon->changed();
    touch_record();
}

/// What depends on time alone.
void Agent::Impl::tick() {
    if (stopping) return;
    decide_uplink();
    store_addresses(false);
    look_at_own_endpoints();
    forget_old_commands();
    if (!is_settled_in && mesh->now_ms() > settle_in_ms) {
        is_settled_in = true;
        give_back_start_up_memory();
    }
    const bool quiet = is_settled_in && !uplink_decision.is_waiting();
    tick_timer.expires_after(std::chrono::milliseconds(quiet ? quiet_tick_ms : tick_ms));
    tick_timer.async_wait([self = weak_from_this()](const auto& error) {
        const auto me = self.lock();
        if (!error && me) me->tick();
    });
}

SiteSnapshot Agent::Impl::snapshot() const {
    return {&trust.roster(),        identity.server_id,      mesh->now_ms(),
            mesh->mesh().members(), &mesh->book().records(), &mesh->addresses()};
}

SiteView Agent::Impl::view() const {
    return site_view_of({identity, trust, mesh->mesh(), mesh->book(), mesh->now_ms(), unix_ms()});
}

void Agent::leave(std::function<void()> done) {
    impl_->store_addresses(true);
    impl_->mesh->leave();
    impl_->stopping = true;
    impl_->leave_timer.expires_after(leave_delay);
    impl_->leave_timer.async_wait([done = std::move(done)](const auto&) { done(); });
}

}  // namespace clarity
