#include "coordinator/control_service.hpp"

#include <boost/asio/post.hpp>
#include <set>

#include "coordinator/clock.hpp"
#include "coordinator/config.hpp"
#include "protocol/log/log.hpp"

namespace clarity::coordinator {
namespace {

constexpr std::size_t connections_max = 4096;
/// Not let in yet, or on their way out.
constexpr std::size_t connections_spare = 512;
/// Above the time between two reports of a standby: then only vanished ones are probed.
constexpr int keepalive_s = 180;

template <class... Ts>
struct Overloaded : Ts... {
    using Ts::operator()...;
};

}  // namespace

ControlService::~ControlService() = default;

Result<std::unique_ptr<ControlService>> ControlService::start(boost::asio::io_context& loop,
                                                              const ControlSettings& settings,
                                                              ControlHooks hooks,
                                                              Counters& metrics) {
    auto out = std::unique_ptr<ControlService>(new ControlService(std::move(hooks), metrics));
    wire::Settings own;
    own.secret = settings.secret;
    own.limits.connections = connections_max + connections_spare;
    own.limits.accepts_burst = 512;  // many sites may be behind one address
    own.limits.accepts_per_s_and_address = 64;
    // A fetch is answered with a whole document at once.
    own.limits.outgoing_bytes = 4 * control::document_max;
    own.limits.unacknowledged_bytes = control::document_max + (4U << 20);
    own.limits.unacknowledged_total_bytes = 16 * control::document_max;
    own.limits.connections = connections_max;
    own.post = [&loop](std::function<void()> f) { boost::asio::post(loop, std::move(f)); };
    CLARITY_TRY(out->wire_, wire::Wire::start(std::move(own)));
    wire::ListenSettings listen;
    listen.endpoint = "tcp://" + settings.listen;
    listen.setting = "control.listen";
    listen.keepalive_s = keepalive_s;
    listen.on_frame = [self = out.get()](const std::string& user, const wire::Handle& from,
                                         const Bytes& frame) { self->receive(user, from, frame); };
    listen.on_lost = [self = out.get()](const wire::Handle& handle) {
        self->connections_.erase(handle);
    };
    CLARITY_TRY(const auto listener, out->wire_->listen(std::move(listen)));
    out->listener_ = listener.id;
    out->port_ = port_of(listener.endpoint);
    return out;
}

void ControlService::set_members(const std::map<CurveKey, std::string>& members) {
    wire_->set_authorised(listener_, members);
    std::erase_if(connections_, [&](const auto& row) {
        const auto at = members.find(row.first.key);
        return at == members.end() || at->second != row.second.server_id;
    });
}

void ControlService::receive(const std::string& server_id, const wire::Handle& from,
                             const Bytes& frame) {
    metrics_.count("control_bytes_total", {{"direction", "in"}}, static_cast<double>(frame.size()));
    const auto site = hooks_.site_of(server_id);
    const auto message = control::decode(frame);
    if (!site || !message) {
        metrics_.count("control_frames_refused_total");
        log::debug("control: frame of {} refused: {}", server_id,
                   site ? message.error().message : "not a member");
        return;
    }
    auto at = connections_.find(from);
    if (at == connections_.end()) {
        if (connections_.size() >= connections_max) return;
        at = connections_.emplace(from, Connection{server_id, *site, 0, 0, 0, -1}).first;
        log::debug("control: {} of {} is connected", server_id, *site);
    }
    at->second.site = *site;
    at->second.heard_ms = now_unix_ms();
    handle(at->second, from, *message);
}

void ControlService::handle(Connection& connection, const wire::Handle& from,
                            const control::Message& message) {
    const auto refuse = [&](const char* what) {
        metrics_.count("control_frames_refused_total");
        log::debug("control: {} of {}: {}", connection.server_id, connection.site, what);
    };
    std::visit(
        Overloaded{[&](const control::Hello& hello) {
                       if (hello.site != connection.site) return refuse("hello of another site");
                       send_offer(connection, from);
                   },
                   [&](const control::Report& report) { acknowledge(connection, from, report); },
                   [&](const control::Fetch& fetch) { answer(connection, from, fetch); },
                   [&](const control::OrderResult& result) {
                       hooks_.on_order_result(connection.server_id, result);
                   },
                   [&](const auto&) { refuse("a message that only a coordinator sends"); }},
        message);
}

void ControlService::send(const wire::Handle& to, const control::Message& message) {
    auto frame = control::encode(message);
    metrics_.count("control_bytes_total", {{"direction", "out"}},
                   static_cast<double>(frame.size()));
    wire_->reply(to, std::move(frame));
}

Bytes ControlService::beacon_of(const std::string& site) {
    lines_[site].beacon_ms = now_unix_ms();
    return hooks_.beacon(site);
}

void ControlService::acknowledge(Connection& connection, const wire::Handle& to,
                                 const control::Report& report) {
    const auto now = connection.heard_ms;
    metrics_.count("reports_total");
    connection.primary_ms = report.is_primary ? now : -1;
    auto ack = hooks_.on_report(connection.site, connection.server_id, report);
    ack.seq = report.seq;
    if (!ack.buckets.empty()) metrics_.count("report_resyncs_total");
    const auto& line = lines_[connection.site];
    ack.offer = line.offer;
    const auto since =
        line.beacon_ms < 0 || line.beacon_ms > now ? beacon_standby_ms : now - line.beacon_ms;
    const bool is_due = since >= (report.is_primary ? beacon_every_ms : beacon_standby_ms);
    if (is_due && report.fresh_ms >= 0) ack.beacon = beacon_of(connection.site);
    send(to, std::move(ack));
}

void ControlService::answer(Connection& connection, const wire::Handle& to,
                            const control::Fetch& fetch) {
    const auto now = connection.heard_ms;
    if (now - connection.fetch_window_ms >= 1000) {
        connection.fetch_window_ms = now;
        connection.fetches = 0;
    }
    if (++connection.fetches > fetches_per_s_max) return;
    const auto document = hooks_.document(connection.site, fetch.digest);
    if (!document) {
        log::debug("control: {} asks for {}: {}", connection.server_id, fetch.digest.hex(),
                   document.error().message);
        return;
    }
    for (auto& body : control::bodies_of(fetch, *document)) send(to, std::move(body));
}

void ControlService::send_offer(const Connection& connection, const wire::Handle& to) {
    control::Offer offer{connection.site, hooks_.ads(connection.site)};
    lines_[connection.site].offer = control::offer_hash(offer.ads);
    send(to, std::move(offer));
}

void ControlService::offer(const std::string& site) {
    const wire::Handle* primary = nullptr;
    std::int64_t primary_ms = -1;
    for (const auto& [handle, connection] : connections_) {
        if (connection.site != site) continue;
        send_offer(connection, handle);
        if (connection.primary_ms <= primary_ms) continue;
        primary = &handle;
        primary_ms = connection.primary_ms;
    }
    if (primary == nullptr) return;
    control::Ack news;
    news.at_ms = now_unix_ms();
    news.offer = lines_[site].offer;
    news.beacon = beacon_of(site);
    send(*primary, std::move(news));
}

std::size_t ControlService::ask(const std::string& site) {
    std::size_t sent = 0;
    for (const auto& [handle, connection] : connections_) {
        if (connection.site != site) continue;
        send(handle, control::Ask{});
        ++sent;
    }
    return sent;
}

std::size_t ControlService::send_order(const std::string& site, const Bytes& envelope) {
    std::size_t sent = 0;
    for (const auto& [handle, connection] : connections_) {
        if (connection.site != site) continue;
        send(handle, control::Order{envelope});
        ++sent;
    }
    return sent;
}

std::size_t ControlService::connections(const std::string& site) const {
    std::size_t out = 0;
    for (const auto& [handle, connection] : connections_) out += connection.site == site ? 1 : 0;
    return out;
}

std::vector<std::string> ControlService::sites() const {
    std::set<std::string> out;
    for (const auto& [handle, connection] : connections_) out.insert(connection.site);
    return {out.begin(), out.end()};
}

void ControlService::expire(std::int64_t now_ms) {
    std::erase_if(connections_,
                  [&](const auto& row) { return now_ms - row.second.heard_ms > idle_max_ms; });
}

}  // namespace clarity::coordinator
