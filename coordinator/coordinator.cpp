#include "coordinator/coordinator.hpp"

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <set>

#include "coordinator/clock.hpp"
#include "coordinator/control_service.hpp"
#include "coordinator/core.hpp"
#include "coordinator/rest_api.hpp"
#include "coordinator/site_documents.hpp"
#include "protocol/log/log.hpp"

namespace clarity::coordinator {
namespace {

constexpr std::chrono::milliseconds tick{250};
/// Followed once more so long after a report: evidence that stood against it has then lost.
constexpr std::int64_t follow_again_ms = 16'000;
/// A site that somebody looks at is asked for news at most so often.
constexpr std::int64_t ask_every_ms = 10'000;
constexpr std::int64_t ask_when_older_ms = 5'000;
constexpr std::uint64_t admin_body_max_bytes = 24U << 20;
constexpr std::uint64_t stranger_body_max_bytes = 64U << 10;  ///< an enrolment is 2 KiB

}  // namespace

struct Coordinator::Impl {
    Impl(boost::asio::io_context& io, std::unique_ptr<Core> state)
        : loop(io),
          core(std::move(state)),
          documents(*core),
          router(core->auth, core->metrics),
          timer(io) {}

    boost::asio::io_context& loop;
    std::unique_ptr<Core> core;
    SiteDocuments documents;
    Router router;
    Api api{*core, {}};
    std::unique_ptr<ControlService> control;
    std::unique_ptr<http::Server> server;
    boost::asio::steady_timer timer;
    std::set<std::string> reported;                    ///< sites with news since the last tick
    std::map<std::string, std::int64_t> follow_again;  ///< site → when
    std::map<std::string, std::int64_t> asked;         ///< site → when last

    Result<void> start_rest(const Config& config);
    Result<void> start_control(const Config& config);
    ControlHooks control_hooks();
    Effects effects();
    control::Ack on_report(const std::string& site, const std::string& from,
                           const control::Report& report);
    void on_looked_at(const std::string& site);
    void sync_members();
    void follow(const std::string& site);
    void on_tick();
    void arm();
    void update_gauges();
};

Result<void> Coordinator::Impl::start_rest(const Config& config) {
    http::ServerSettings settings;
    settings.listen = config.rest_listen;
    settings.setting = "rest.listen";
    settings.certificate_pem = core->identity->rest_chain_pem;
    settings.key_pem = core->identity->rest_key_pem;
    settings.client_ca_pem = core->identity->ca_pem;
    // The largest are a manifest of 16 MiB in base64 and the inventory of 10,000 servers.
    settings.body_max_bytes = admin_body_max_bytes;
    settings.body_limit = [this](const http::Request& head) -> std::uint64_t {
        return core->auth.is_admin(head.bearer_token()) ? admin_body_max_bytes
                                                        : stranger_body_max_bytes;
    };
    settings.connections_max = 128;
    api.effects = effects();
    api.add_routes(router);
    CLARITY_TRY(server,
                http::Server::start(loop, settings,
                                    [this](const http::Request& request, const http::Reply& reply) {
                                        reply(router.handle(request, now_unix_ms()));
                                    }));
    return {};
}

Result<void> Coordinator::Impl::start_control(const Config& config) {
    const ControlSettings settings{config.control_listen, core->identity->control.curve_secret()};
    CLARITY_TRY(control, ControlService::start(loop, settings, control_hooks(), core->metrics));
    return {};
}

ControlHooks Coordinator::Impl::control_hooks() {
    ControlHooks out;
    out.ads = [this](const std::string& site) { return documents.ads(site); };
    out.beacon = [this](const std::string& site) { return documents.beacon(site, now_unix_ms()); };
    out.document = [this](const std::string& site, const Digest& digest) {
        return documents.document(site, digest);
    };
    out.site_of = [this](const std::string& server_id) -> std::optional<std::string> {
        const auto at = core->rosters.locate(server_id);
        if (!at) return std::nullopt;
        return at->first;
    };
    out.on_report = [this](const std::string& site, const std::string& from,
                           const control::Report& report) { return on_report(site, from, report); };
    out.on_order_result = [this](const std::string& server_id, const control::OrderResult& result) {
        core->results.add(server_id, result);
    };
    return out;
}

Effects Coordinator::Impl::effects() {
    Effects out;
    out.members_changed = [this] { sync_members(); };
    out.site_changed = [this](const std::string& site) { control->offer(site); };
    out.send_order = [this](const std::string& site, const Bytes& envelope) {
        return control->send_order(site, envelope);
    };
    out.looked_at = [this](const std::string& site) { on_looked_at(site); };
    out.update_gauges = [this] { update_gauges(); };
    return out;
}

control::Ack Coordinator::Impl::on_report(const std::string& site, const std::string& from,
                                          const control::Report& report) {
    const auto* roster = core->rosters.find(site);
    if (roster == nullptr) return {};
    const auto now = now_unix_ms();
    auto outcome = core->sites.report(now, roster->roster, from, report);
    core->rosters.note_epoch(site, core->sites.highest(site).roster_epoch);
    if (outcome.refused > 0) {
        core->metrics.count("records_refused_total", {{"site", site}},
                            static_cast<double>(outcome.refused));
        log::debug("site {}: {} views of {} refused", site, outcome.refused, from);
    }
    reported.insert(site);
    follow_again[site] = now + follow_again_ms;
    return std::move(outcome.ack);
}

/// Somebody reads a site's status: the next time it is fresh, or says that nobody answers.
void Coordinator::Impl::on_looked_at(const std::string& site) {
    const auto now = now_unix_ms();
    auto& last = asked[site];
    if (now - last < ask_every_ms && now >= last) return;
    const auto silence = core->sites.silence_of(now, site);
    if (silence >= 0 && silence < ask_when_older_ms) return;
    last = now;
    control->ask(site);
    core->sites.asked(now, site);
}

void Coordinator::Impl::sync_members() {
    std::map<CurveKey, std::string> members;
    for (const auto& [site, roster] : core->rosters.all()) {
        core->sites.keep_members(roster.roster);
        for (const auto& member : roster.roster.members) {
            if (const auto key = curve_public(member.key)) members[*key] = member.server_id;
        }
    }
    control->set_members(members);
    for (const auto& site : control->sites()) control->offer(site);
}

void Coordinator::Impl::follow(const std::string& site) {
    const auto* roster = core->rosters.find(site);
    if (roster == nullptr) return;
    const auto views = core->sites.servers(now_unix_ms(), roster->roster);
    const auto ended = core->deployments.follow(site, views);
    if (!ended) return log::error("site {}: {}", site, ended.error().message);
    for (const auto& row : *ended) {
        const std::string state(name_of(row.state));
        core->metrics.count("deployments_total", {{"result", state}});
        core->write_audit(now_unix_s(), {"site " + site, "deployment." + state, row.id,
                                         fmt::format("plan {}", row.seq), row.correlation_id, ""});
        if (row.state == DeploymentState::done) {
            log::info_for(row.correlation_id, "deployment {}: plan {} of {} is done", row.id,
                          row.seq, site);
        } else {
            log::warning_for(row.correlation_id, "deployment {}: plan {} of {} has {}", row.id,
                             row.seq, site,
                             row.state == DeploymentState::failed ? "failed" : "been rolled back");
        }
    }
}

void Coordinator::Impl::on_tick() {
    const auto now = now_unix_ms();
    for (const auto& site : reported) follow(site);
    reported.clear();
    control->expire(now);
    std::erase_if(follow_again, [&](const auto& row) {
        if (now < row.second) return false;
        follow(row.first);
        return true;
    });
}

void Coordinator::Impl::arm() {
    timer.expires_after(tick);
    timer.async_wait([this](const boost::system::error_code& ec) {
        if (ec) return;
        on_tick();
        arm();
    });
}

void Coordinator::Impl::update_gauges() {
    for (const auto& [site, roster] : core->rosters.all()) {
        const Counters::Labels labels{{"site", site}};
        const auto views = core->sites.servers(now_unix_ms(), roster.roster);
        double alive = 0;
        for (const auto& view : views) alive += view.state == "alive" ? 1 : 0;
        core->metrics.set("agents_alive", alive, labels);
        core->metrics.set("agents_enrolled", static_cast<double>(views.size()), labels);
        core->metrics.set("agents_connected", static_cast<double>(control->connections(site)),
                          labels);
    }
}

Coordinator::Coordinator(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Coordinator::~Coordinator() {
    impl_->timer.cancel();
    impl_->server.reset();
    impl_->control.reset();
}

Result<std::unique_ptr<Coordinator>> Coordinator::start(boost::asio::io_context& loop,
                                                        const Config& config) {
    CLARITY_TRY(auto core, Core::open(config, now_unix_s()));
    auto impl = std::make_unique<Impl>(loop, std::move(core));
    CLARITY_CHECK(impl->start_control(config));
    CLARITY_CHECK(impl->start_rest(config));

    RosterCommon common;
    common.address.rest_url = public_url(config, impl->server->port());
    common.address.control_endpoint =
        coordinator::control_endpoint(config, common.address.rest_url, impl->control->port());
    CLARITY_TRY(common.address.curve_key, curve_public(impl->core->identity->control.public_key()));
    common.ca_pem = impl->core->identity->ca_pem;
    impl->core->rosters.set_common(std::move(common));
    CLARITY_CHECK(impl->core->rosters.refresh());
    impl->sync_members();
    impl->core->metrics.set("start_time_seconds", static_cast<double>(now_unix_s()));
    impl->arm();
    return std::unique_ptr<Coordinator>(new Coordinator(std::move(impl)));
}

const std::string& Coordinator::rest_url() const {
    return impl_->core->rosters.common().address.rest_url;
}
std::uint16_t Coordinator::rest_port() const {
    return impl_->server->port();
}
const std::string& Coordinator::control_endpoint() const {
    return impl_->core->rosters.common().address.control_endpoint;
}
std::uint16_t Coordinator::control_port() const {
    return impl_->control->port();
}

}  // namespace clarity::coordinator
