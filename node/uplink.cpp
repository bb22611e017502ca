#include "node/uplink.hpp"

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <optional>
#include <random>

#include "protocol/log/log.hpp"

namespace clarity {
namespace {

constexpr std::int64_t wake_min_ms = 1;
constexpr std::int64_t wake_max_ms = 5'000;
/// Probes without an answer that end a connection, and the time between two.
constexpr int keepalive_probes = 3;
constexpr int keepalive_again_s = 1;

std::int64_t steady_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

template <class... Ts>
struct Overloaded : Ts... {
    using Ts::operator()...;
};

}  // namespace

struct Uplink::Impl : std::enable_shared_from_this<Uplink::Impl> {
    struct Fetch {
        control::Ad ad;
        control::Assembler parts;
        std::int64_t progress_ms = 0;
        std::int64_t timeout_ms = 0;
    };
    /// One coordinator.
    struct Link {
        explicit Link(const ReportTimes& times) : reports(times) {}
        CoordinatorAddress address;
        std::uint64_t round = 0;     ///< events of an earlier socket of the same name do not count
        bool is_open = false;        ///< a socket tries, or holds the connection
        bool is_up = false;          ///< connected and proved
        bool answers = false;        ///< and it spoke to us
        std::int64_t asked_ms = -1;  ///< oldest that we sent and want an answer to; -1 = none
        std::int64_t reopen_ms = 0;
        std::int64_t backoff_ms = 0;
        std::int64_t hello_ms = 0;
        std::int64_t looked_ms = 0;
        std::uint64_t offer = 0;
        std::vector<control::Ad> offered;
        std::map<Digest, Fetch> fetches;
        ReportStream reports;
    };

    Impl(boost::asio::io_context& loop, wire::Wire& wire, UplinkTimes given, UplinkCallbacks hooks)
        : net(wire), times(given), callbacks(std::move(hooks)), timer(loop) {
        const auto seed = random_bytes(4);
        random.seed(static_cast<std::uint_fast32_t>(std::hash<std::string>{}(seed)));
    }

    wire::Wire& net;
    UplinkTimes times;
    UplinkCallbacks callbacks;
    boost::asio::steady_timer timer;
    std::map<std::string, Link> links;  ///< by connection name
    UplinkCounters counters;
    std::minstd_rand random;
    std::uint64_t rounds = 0;
    bool primary = false;
    bool reaches = false;
    bool stopped = false;

    void open(const std::string& name, Link& link) {
        link.round = ++rounds;
        link.is_open = true;
        const auto self = weak_from_this();
        const auto round = link.round;
        wire::ConnectSettings settings;
        settings.peer = name;
        settings.endpoint = link.address.control_endpoint;
        settings.server_key = link.address.curve_key;
        settings.on_frame = [self, name, round](Bytes frame) {
            if (const auto me = self.lock()) me->receive(name, round, frame);
        };
        settings.on_event = [self, name, round](wire::PeerEvent event) {
            if (const auto me = self.lock()) me->on_event(name, round, event);
        };
        settings.heartbeat_ms = 0;  // the answers to our reports tell
        settings.keepalive_s = keepalive_s();
        settings.keepalive_again_s = keepalive_again_s;
        settings.unacknowledged_ms =
            1000 * (times.primary_keepalive_s + keepalive_probes * keepalive_again_s) - 500;
        net.connect(std::move(settings));
    }

    [[nodiscard]] int keepalive_s() const {
        return primary ? times.primary_keepalive_s : times.standby_keepalive_s;
    }

    [[nodiscard]] Link* find(const std::string& name, std::uint64_t round) {
        const auto at = links.find(name);
        return at == links.end() || at->second.round != round ? nullptr : &at->second;
    }

    bool send(const std::string& name, const control::Message& message) {
        auto frame = control::encode(message);
        ++counters.frames_out;
        counters.bytes_out += frame.size();
        return net.send(name, std::move(frame));
    }

    void on_event(const std::string& name, std::uint64_t round, wire::PeerEvent event) {
        Link* link = find(name, round);
        if (link == nullptr || event == wire::PeerEvent::dropped) return;
        link->is_up = event == wire::PeerEvent::up;
        if (link->is_up) {
            link->reports.restart();
            link->reports.set_primary(primary);
            say_hello(name, *link);
            report(name, *link);
        } else {
            if (event == wire::PeerEvent::refused) {
                log::debug("uplink: {} does not let us in yet", link->address.control_endpoint);
            }
            forget(*link);
        }
        check_reach();
        arm();
    }

    /// What belonged to a connection that is gone.
    static void forget(Link& link) {
        link.is_up = link.answers = false;
        link.asked_ms = -1;
        link.offer = 0;
        link.offered.clear();
        link.fetches.clear();
    }

    void say_hello(const std::string& name, Link& link) {
        link.hello_ms = steady_ms();
        if (link.asked_ms < 0) link.asked_ms = link.hello_ms;
        send(name, callbacks.hello());
    }

    void check_reach() {
        const bool now = std::any_of(links.begin(), links.end(),
                                     [](const auto& row) { return row.second.answers; });
        if (now == reaches) return;
        reaches = now;
        callbacks.reach_changed(now);
    }

    void receive(const std::string& name, std::uint64_t round, const Bytes& frame) {
        Link* link = find(name, round);
        if (link == nullptr || !link->is_up) return;
        ++counters.frames_in;
        counters.bytes_in += frame.size();
        auto message = control::decode(frame);
        if (!message) {
            log::debug("uplink: frame refused: {}", message.error().message);
            return;
        }
        const bool report_waits = link->reports.waits_for_ack();
        link->answers = true;
        link->backoff_ms = 0;
        link->asked_ms = report_waits ? steady_ms() : -1;  // anything from there is progress
        check_reach();
        std::visit(Overloaded{[&](control::Offer& offer) {
                                  link->offer = control::offer_hash(offer.ads);
                                  link->offered = std::move(offer.ads);
                                  consider(name, *link);
                              },
                              [&](control::Body& body) { take(name, round, body); },
                              [&](control::Order& order) { callbacks.order(order.envelope); },
                              [&](control::Ack& ack) { on_ack(name, *link, ack); },
                              [&](control::Ask&) { link->reports.asked(); }, [](auto&) {}},
                   *message);
        // A callback may have let the link go.
        if (Link* still = find(name, round)) report(name, *still);
        arm();
    }

    void on_ack(const std::string& name, Link& link, const control::Ack& ack) {
        if (link.reports.acknowledged(steady_ms(), ack)) {
            link.asked_ms = -1;
            counters.resyncs += ack.buckets.empty() ? 0U : 1U;
        }
        const bool offer_lost = ack.offer != 0 && ack.offer != link.offer;
        if (offer_lost && steady_ms() - link.hello_ms >= times.hello_again_ms)
            say_hello(name, link);
        if (ack.beacon.empty()) return;
        callbacks.document({"beacon", {}, 0, {}, ack.beacon.size()}, ack.beacon);
    }

    /// Asks for what is offered and wanted.
    void consider(const std::string& name, Link& link) {
        const auto now = steady_ms();
        link.looked_ms = now;
        for (const auto& ad : link.offered) {
            if (link.fetches.size() >= times.fetches_max) return;
            if (link.fetches.contains(ad.digest) || ad.size_bytes > control::document_max) continue;
            if (!callbacks.wants(ad)) continue;
            link.fetches.emplace(
                ad.digest, Fetch{ad, control::Assembler(ad.digest), now, times.fetch_timeout_ms});
            send(name, control::Fetch{ad.digest, 0, 0});
        }
    }

    void take(const std::string& name, std::uint64_t round, const control::Body& body) {
        auto& link = links.at(name);
        const auto at = link.fetches.find(body.digest);
        if (at == link.fetches.end()) return;
        auto whole = at->second.parts.add(body);
        if (!whole) {
            log::debug("uplink: {}", whole.error().message);
            link.fetches.erase(at);
            return;
        }
        at->second.progress_ms = steady_ms();
        at->second.timeout_ms = times.fetch_timeout_ms;
        if (!*whole) return;
        const auto ad = at->second.ad;
        link.fetches.erase(at);
        callbacks.document(ad, **whole);  // may call trust_changed()
        if (Link* still = find(name, round)) consider(name, *still);
    }

    void report(const std::string& name, Link& link) {
        const auto now = steady_ms();
        if (!link.is_up || link.reports.waits_for_ack() || now < link.reports.due_ms()) return;
        auto next = link.reports.next(now, callbacks.views(), callbacks.record);
        if (!next) return;
        ++counters.reports;
        if (link.asked_ms < 0) link.asked_ms = now;
        // A dropped one is not acknowledged: the connection starts anew.
        send(name, std::move(*next));
    }

    /// The coordinator did not answer: lost packets, a hung process, a line that leads nowhere.
    void give_up(const std::string& name, Link& link) {
        ++counters.silences;
        net.disconnect(name);
        forget(link);
        link.is_open = false;
        link.backoff_ms = std::clamp(link.backoff_ms * 2, times.reopen_min_ms, times.reopen_max_ms);
        std::uniform_int_distribution<std::int64_t> jitter(link.backoff_ms / 2, link.backoff_ms);
        link.reopen_ms = steady_ms() + jitter(random);
        log::debug("uplink: {} does not answer", link.address.control_endpoint);
        check_reach();
    }

    void turn() {
        const auto now = steady_ms();
        std::vector<std::string> silent;
        for (auto& [name, link] : links) {
            if (!link.is_open && now >= link.reopen_ms) open(name, link);
            if (link.is_up && link.asked_ms >= 0 &&
                now - link.asked_ms >= times.reports.answer_ms) {
                silent.push_back(name);
                continue;
            }
            retry_fetches(name, link, now);
            if (link.is_up && now - link.looked_ms >= times.look_again_ms) consider(name, link);
            report(name, link);
        }
        for (const auto& name : silent) {
            if (const auto at = links.find(name); at != links.end()) give_up(name, at->second);
        }
        arm();
    }

    void retry_fetches(const std::string& name, Link& link, std::int64_t now) {
        for (auto& [digest, fetch] : link.fetches) {
            if (now - fetch.progress_ms < fetch.timeout_ms) continue;
            fetch.progress_ms = now;
            fetch.timeout_ms = std::min(fetch.timeout_ms * 2, times.fetch_timeout_max_ms);
            send(name, control::Fetch{digest, fetch.parts.next_offset(), 0});
        }
    }

    /// Wakes when the next thing is due.
    void arm() {
        if (stopped || links.empty()) return;
        const auto now = steady_ms();
        auto wake = now + wake_max_ms;
        for (const auto& [name, link] : links) {
            if (!link.is_open) wake = std::min(wake, link.reopen_ms);
            if (!link.is_up) continue;
            if (link.asked_ms >= 0) wake = std::min(wake, link.asked_ms + times.reports.answer_ms);
            if (!link.reports.waits_for_ack()) wake = std::min(wake, link.reports.due_ms());
            for (const auto& [digest, fetch] : link.fetches) {
                wake = std::min(wake, fetch.progress_ms + fetch.timeout_ms);
            }
        }
        timer.expires_after(std::chrono::milliseconds(std::max(wake - now, wake_min_ms)));
        timer.async_wait([self = weak_from_this()](const auto& error) {
            const auto me = self.lock();
            if (!error && me && !me->stopped) me->turn();
        });
    }
};

Uplink::Uplink(boost::asio::io_context& loop, wire::Wire& net, UplinkTimes times,
               UplinkCallbacks callbacks)
    : impl_(std::make_shared<Impl>(loop, net, times, std::move(callbacks))) {}

Uplink::~Uplink() {
    impl_->stopped = true;
    impl_->timer.cancel();
}

void Uplink::set(bool hold, bool primary, const std::vector<CoordinatorAddress>& coordinators) {
    auto& me = *impl_;
    std::map<std::string, CoordinatorAddress> wanted;
    if (hold) {
        for (const auto& address : coordinators) {
            wanted["c:" + address.control_endpoint + address.curve_key.hex()] = address;
        }
    }
    const bool was_holding = holding();
    const bool role_changed = me.primary != primary;
    me.primary = primary;
    std::vector<std::string> gone;
    for (const auto& [name, link] : me.links) {
        if (!wanted.contains(name)) gone.push_back(name);
    }
    for (const auto& name : gone) {
        me.links.erase(name);
        me.net.disconnect(name);
    }
    bool is_new = false;
    for (const auto& [name, address] : wanted) {
        auto [at, fresh] = me.links.try_emplace(name, me.times.reports);
        auto& link = at->second;
        if (fresh) {
            is_new = true;
            link.address = address;
            link.reports.set_primary(primary);
            me.open(name, link);
        } else if (role_changed) {
            link.reports.set_primary(primary);
            me.net.set_keepalive(name, me.keepalive_s());
            me.report(name, link);
        }
    }
    me.counters.changes += was_holding != holding() || (holding() && role_changed) ? 1U : 0U;
    me.check_reach();
    if (is_new || role_changed) me.arm();
}

void Uplink::site_changed() {
    auto& me = *impl_;
    for (auto& [name, link] : me.links) {
        link.reports.changed();
        me.report(name, link);
    }
    me.arm();
}

void Uplink::trust_changed() {
    auto& me = *impl_;
    for (auto& [name, link] : me.links) {
        if (!link.is_up) continue;
        me.say_hello(name, link);
        me.consider(name, link);
    }
    me.arm();
}

void Uplink::send_result(const control::OrderResult& result) {
    for (const auto& [name, link] : impl_->links) {
        if (link.is_up) impl_->send(name, result);
    }
}

bool Uplink::reaches_coordinator() const {
    return impl_->reaches;
}
bool Uplink::holding() const {
    return !impl_->links.empty();
}
const UplinkCounters& Uplink::counters() const {
    return impl_->counters;
}

}  // namespace clarity
