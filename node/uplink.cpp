#include "node/uplink.hpp"

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <optional>

#include "protocol/log/log.hpp"

namespace clarity {
namespace {

constexpr std::int64_t tick_ms = 500;

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
    };
    /// One coordinator.
    struct Link {
        CoordinatorAddress address;
        bool is_up = false;    ///< connected and proved
        bool answers = false;  ///< and it spoke to us
        std::vector<control::Ad> offered;
        std::map<Digest, Fetch> fetches;
        std::map<std::string, RecordVersion> reported;
    };

    Impl(boost::asio::io_context& loop, wire::Wire& wire, UplinkTimes given, UplinkCallbacks hooks)
        : net(wire), times(given), callbacks(std::move(hooks)), timer(loop) {}

    wire::Wire& net;
    UplinkTimes times;
    UplinkCallbacks callbacks;
    boost::asio::steady_timer timer;
    std::map<std::string, Link> links;  ///< by connection name
    std::int64_t reported_ms = -1;
    bool dirty = true;
    bool reaches = false;
    bool stopped = false;

    void open(const std::string& name, const CoordinatorAddress& address) {
        links[name].address = address;
        const auto self = weak_from_this();
        net.connect({name, address.control_endpoint, address.curve_key,
                     [self, name](Bytes frame) {
                         if (const auto me = self.lock()) me->receive(name, frame);
                     },
                     [self, name](wire::PeerEvent event) {
                         if (const auto me = self.lock()) me->on_event(name, event);
                     }});
    }

    void on_event(const std::string& name, wire::PeerEvent event) {
        const auto at = links.find(name);
        if (at == links.end() || event == wire::PeerEvent::dropped) return;
        auto& link = at->second;
        link.is_up = event == wire::PeerEvent::up;
        if (link.is_up) {
            net.send(name, control::encode(callbacks.hello()));
            dirty = true;
            report();
        } else {
            if (event == wire::PeerEvent::refused) {
                log::debug("uplink: {} does not let us in yet", link.address.control_endpoint);
            }
            link.answers = false;
            link.offered.clear();
            link.fetches.clear();
            link.reported.clear();
        }
        check_reach();
    }

    void check_reach() {
        const bool now = std::any_of(links.begin(), links.end(),
                                     [](const auto& row) { return row.second.answers; });
        if (now == reaches) return;
        reaches = now;
        callbacks.reach_changed(now);
    }

    void receive(const std::string& name, const Bytes& frame) {
        const auto at = links.find(name);
        if (at == links.end()) return;
        auto message = control::decode(frame);
        if (!message) {
            log::debug("uplink: frame refused: {}", message.error().message);
            return;
        }
        at->second.answers = true;
        check_reach();
        std::visit(Overloaded{[&](control::Offer& offer) {
                                  at->second.offered = std::move(offer.ads);
                                  consider(name, at->second);
                              },
                              [&](control::Body& body) { take(name, body); },
                              [&](control::Order& order) { callbacks.order(order.envelope); },
                              [](auto&) {}},
                   *message);
    }

    /// Asks for what is offered and wanted.
    void consider(const std::string& name, Link& link) {
        for (const auto& ad : link.offered) {
            if (link.fetches.size() >= times.fetches_max) return;
            if (link.fetches.contains(ad.digest) || ad.size_bytes > control::document_max) continue;
            if (!callbacks.wants(ad)) continue;
            link.fetches.emplace(ad.digest, Fetch{ad, control::Assembler(ad.digest), steady_ms()});
            net.send(name, control::encode(control::Fetch{ad.digest, 0, 0}));
        }
    }

    void take(const std::string& name, const control::Body& body) {
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
        if (!*whole) return;
        const auto ad = at->second.ad;
        link.fetches.erase(at);
        callbacks.document(ad, **whole);  // may call trust_changed()
        const auto still = links.find(name);
        if (still != links.end()) consider(name, still->second);
    }

    void report() {
        const auto now = steady_ms();
        const auto since = reported_ms < 0 ? times.report_max_ms : now - reported_ms;
        const bool due = (dirty && since >= times.report_min_ms) || since >= times.report_max_ms;
        const bool up = std::any_of(links.begin(), links.end(),
                                    [](const auto& row) { return row.second.is_up; });
        if (due && up) {
            const auto hello = callbacks.hello();
            auto views = callbacks.views();
            for (auto& [name, link] : links) {
                if (link.is_up) report_to(name, link, hello.site, views);
            }
            reported_ms = now;
            dirty = false;
        }
        arm(now);
    }

    void report_to(const std::string& name, Link& link, const std::string& site,
                   std::vector<control::View> views) {
        for (auto& view : views) {
            const auto record = callbacks.record(view.server_id);
            if (!record) continue;
            auto& sent = link.reported[view.server_id];
            if (sent == record->version) continue;
            view.record = record->bytes;
            sent = record->version;
        }
        for (auto& frame : control::encode_report(site, views)) {
            // A dropped frame's records would count as sent: say everything again next time.
            if (!net.send(name, std::move(frame))) link.reported.clear();
        }
    }

    void arm(std::int64_t now) {
        if (stopped) return;
        auto wait = tick_ms;
        if (dirty && reported_ms >= 0) {
            wait = std::clamp<std::int64_t>(reported_ms + times.report_min_ms - now, 1, tick_ms);
        }
        timer.expires_after(std::chrono::milliseconds(wait));
        timer.async_wait([self = weak_from_this()](const auto& error) {
            const auto me = self.lock();
            if (error || !me || me->stopped || me->links.empty()) return;
            me->retry_fetches();
            me->report();
        });
    }

    void retry_fetches() {
        const auto now = steady_ms();
        for (auto& [name, link] : links) {
            for (auto& [digest, fetch] : link.fetches) {
                if (now - fetch.progress_ms < times.fetch_timeout_ms) continue;
                fetch.progress_ms = now;
                net.send(name,
                         control::encode(control::Fetch{digest, fetch.parts.next_offset(), 0}));
            }
        }
    }
};

Uplink::Uplink(boost::asio::io_context& loop, wire::Wire& net, UplinkTimes times,
               UplinkCallbacks callbacks)
    : impl_(std::make_shared<Impl>(loop, net, times, std::move(callbacks))) {}

Uplink::~Uplink() {
    impl_->stopped = true;
    impl_->timer.cancel();
}

void Uplink::set(bool hold, const std::vector<CoordinatorAddress>& coordinators) {
    auto& me = *impl_;
    std::map<std::string, CoordinatorAddress> wanted;
    if (hold) {
        for (const auto& address : coordinators) {
            wanted["c:" + address.control_endpoint + address.curve_key.hex()] = address;
        }
    }
    std::vector<std::string> gone;
    for (const auto& [name, link] : me.links) {
        if (!wanted.contains(name)) gone.push_back(name);
    }
    for (const auto& name : gone) {
        me.links.erase(name);
        me.net.disconnect(name);
    }
    const bool was_empty = me.links.empty();
    for (const auto& [name, address] : wanted) {
        if (!me.links.contains(name)) me.open(name, address);
    }
    me.check_reach();
    if (was_empty && !me.links.empty()) me.arm(steady_ms());
}

void Uplink::site_changed() {
    impl_->dirty = true;
    if (!impl_->links.empty()) impl_->report();
}

void Uplink::trust_changed() {
    auto& me = *impl_;
    for (auto& [name, link] : me.links) {
        if (!link.is_up) continue;
        me.net.send(name, control::encode(me.callbacks.hello()));
        me.consider(name, link);
    }
}

void Uplink::send_result(const control::OrderResult& result) {
    for (const auto& [name, link] : impl_->links) {
        if (link.is_up) impl_->net.send(name, control::encode(result));
    }
}

bool Uplink::reaches_coordinator() const {
    return impl_->reaches;
}
bool Uplink::holding() const {
    return !impl_->links.empty();
}

}  // namespace clarity
