#include "node/mesh_driver.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <optional>
#include <set>

#include "protocol/log/log.hpp"
#include "protocol/query.hpp"

namespace clarity {
namespace {

constexpr std::int64_t tidy_every_ms = 5000;
constexpr std::int64_t tell_every_ms = 30'000;
constexpr std::int64_t wait_min_ms = 1;
constexpr std::int64_t wait_max_ms = 1000;

std::string peer_name(const std::string& member) {
    return "m:" + member;
}

template <class... Ts>
struct Overloaded : Ts... {
    using Ts::operator()...;
};

}  // namespace

struct MeshDriver::Impl : std::enable_shared_from_this<MeshDriver::Impl> {
    struct Outgoing {
        std::string endpoint;
        CurveKey key;
        std::int64_t used_ms = 0;
    };
    struct Incoming {
        wire::Handle handle;
        std::int64_t heard_ms = 0;
    };

    Impl(boost::asio::io_context& io, wire::Wire& wire, MeshDriverSettings given,
         MeshCallbacks hooks)
        : loop(io),
          net(wire),
          settings(std::move(given)),
          callbacks(std::move(hooks)),
          timer(io),
          mesh(mesh_settings(), settings.incarnation) {}

    boost::asio::io_context& loop;
    wire::Wire& net;
    MeshDriverSettings settings;
    MeshCallbacks callbacks;
    boost::asio::steady_timer timer;
    const std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
    Roster roster;
    std::map<std::string, CurveKey> curve_keys;
    std::map<std::string, Outgoing> outgoing;
    std::map<std::string, Incoming> incoming;
    RecordBook book;
    std::optional<std::uint64_t> unstored_incarnation;
    std::int64_t tidied_ms = 0;
    std::int64_t told_silent_ms = -1;
    bool pumping = false;
    bool changed = false;
    bool stopped = false;
    mesh::Mesh mesh;

    std::int64_t now() const {
        return std::chrono::duration_cast<std::chrono::milliseconds>(
                   std::chrono::steady_clock::now() - start)
            .count();
    }

    mesh::Settings mesh_settings() {
        mesh::Settings out;
        out.site = settings.site;
        out.self = settings.self;
        out.seed = settings.seed;
        out.verify_record = [this](const std::string& owner, RecordVersion version,
                                   std::string_view bytes) {
            const auto envelope = Envelope::decode(bytes);
            if (!envelope) return false;
            const auto record = verify_record(roster, *envelope);
            return record && record->server_id == owner && record->version == version;
        };
        out.verify_document = [](const mesh::DocumentAd& ad, std::string_view bytes) {
            const auto envelope = Envelope::decode(bytes);
            return envelope && envelope->digest() == ad.digest;
        };
        return out;
    }

    void send(const mesh::Send& send) {
        auto frame = query::wrap(query::Channel::mesh, send.frame);
        const auto at = outgoing.find(send.to);
        if (at != outgoing.end()) {
            at->second.used_ms = now();
            net.send(peer_name(send.to), std::move(frame));
            return;
        }
        const auto came = incoming.find(send.to);
        if (came != incoming.end() && now() - came->second.heard_ms < settings.handle_fresh_ms) {
            net.reply(came->second.handle, std::move(frame));
            return;
        }
        if (connect(send.to)) net.send(peer_name(send.to), std::move(frame));
    }

    bool connect(const std::string& member) {
        const auto* spec = roster.find(member);
        const auto key = curve_keys.find(member);
        if (spec == nullptr || key == curve_keys.end()) return false;
        outgoing[member] = {spec->mesh_endpoint, key->second, now()};
        const auto self = weak_from_this();
        net.connect({peer_name(member), spec->mesh_endpoint, key->second,
                     [self, member](Bytes frame) {
                         const auto me = self.lock();
                         if (!me || !query::is(query::Channel::mesh, frame)) return;
                         me->mesh.receive(me->now(), member, query::body_of(frame));
                         me->pump();
                     },
                     [self, member](wire::PeerEvent event) {
                         const auto me = self.lock();
                         if (!me || event == wire::PeerEvent::up) return;
                         me->mesh.peer_unreachable(me->now(), member);
                         me->pump();
                     },
                     settings.heartbeat_ms});
        return true;
    }

    void disconnect(const std::string& member) {
        if (outgoing.erase(member) != 0) net.disconnect(peer_name(member));
    }

    /// Closes what has been idle: neither an active peer nor used for a while.
    void tidy() {
        if (now() - tidied_ms < tidy_every_ms) return;
        tidied_ms = now();
        const auto list = mesh.active_peers();
        const std::set<std::string> active(list.begin(), list.end());
        std::vector<std::string> idle;
        for (const auto& [member, link] : outgoing) {
            if (!active.contains(member) && now() - link.used_ms > settings.idle_close_ms) {
                idle.push_back(member);
            }
        }
        for (const auto& member : idle) disconnect(member);
        std::erase_if(incoming, [&](const auto& row) {
            return now() - row.second.heard_ms > 4 * settings.handle_fresh_ms;
        });
    }

    bool store_incarnation() {
        if (!unstored_incarnation) return true;
        const auto stored = callbacks.store_incarnation(*unstored_incarnation);
        if (stored) {
            unstored_incarnation.reset();
            return true;
        }
        if (told_silent_ms < 0 || now() - told_silent_ms > tell_every_ms) {
            told_silent_ms = now();
            log::error("mesh: silent until its incarnation is stored: {}", stored.error().message);
        }
        return false;
    }

    void carry_out(mesh::Effect& effect) {
        std::visit(
            Overloaded{
                [&](mesh::Send& each) {
                    if (!unstored_incarnation) send(each);
                },
                [&](mesh::MemberChanged& each) {
                    changed = true;
                    const auto* member = roster.find(each.id);
                    // What healed since is found by a new connection sooner than by TCP's retries.
                    if (each.state == mesh::State::dead) {
                        disconnect(each.id);
                        incoming.erase(each.id);
                    }
                    log::info("mesh: {} is {}", member == nullptr ? each.id : member->hostname,
                              mesh::name_of(each.state));
                },
                [&](mesh::RecordReceived&) { changed = true; },
                [&](mesh::AdSeen& each) { callbacks.ad_seen(each.ad); },
                [&](mesh::DocumentReceived& each) { callbacks.document(each.ad, each.body); },
                [&](mesh::StoreIncarnation& each) {
                    unstored_incarnation = each.value;
                    (void)store_incarnation();
                },
                [&](mesh::RecordJump&) { callbacks.record_jump(); },
                [&](mesh::Equivocation& each) { callbacks.equivocation(each); },
            },
            effect);
    }

    /// Carries out effects until there are none, then sets the timer. Callbacks may call back in.
    void pump() {
        if (pumping || stopped) return;
        pumping = true;
        if (unstored_incarnation) (void)store_incarnation();
        for (auto effects = mesh.take_effects(); !effects.empty(); effects = mesh.take_effects()) {
            for (auto& effect : effects) carry_out(effect);
        }
        pumping = false;
        if (changed) {
            changed = false;
            (void)book.update(mesh);
            boost::asio::post(loop, [self = weak_from_this()] {
                if (const auto me = self.lock(); me && !me->stopped) me->callbacks.changed();
            });
        }
        arm();
    }

    void arm() {
        const auto wait = std::clamp(mesh.deadline() - now(), wait_min_ms, wait_max_ms);
        timer.expires_after(std::chrono::milliseconds(wait));
        timer.async_wait([self = weak_from_this()](const auto& error) {
            const auto me = self.lock();
            if (error || !me || me->stopped) return;
            me->mesh.on_time(me->now());
            me->tidy();
            me->pump();
        });
    }
};

MeshDriver::MeshDriver(boost::asio::io_context& loop, wire::Wire& net, MeshDriverSettings settings,
                       MeshCallbacks callbacks)
    : impl_(std::make_shared<Impl>(loop, net, std::move(settings), std::move(callbacks))) {}

MeshDriver::~MeshDriver() {
    impl_->stopped = true;
    impl_->timer.cancel();
}

void MeshDriver::set_roster(const Roster& roster) {
    auto& me = *impl_;
    me.roster = roster;
    me.curve_keys.clear();
    std::vector<mesh::MemberSpec> members;
    for (const auto& member : roster.members) {
        members.push_back({member.server_id});
        if (const auto key = me.settings.curve_of(member.key)) me.curve_keys[member.server_id] = *key;
    }
    std::vector<std::string> stale;
    for (const auto& [id, link] : me.outgoing) {
        const auto* member = roster.find(id);
        const auto key = me.curve_keys.find(id);
        // Another key is another machine, at the same address as a rule.
        if (member == nullptr || member->mesh_endpoint != link.endpoint ||
            key == me.curve_keys.end() || key->second != link.key) {
            stale.push_back(id);
        }
    }
    for (const auto& id : stale) me.disconnect(id);
    std::erase_if(me.incoming, [&](const auto& row) {
        const auto key = me.curve_keys.find(row.first);
        return key == me.curve_keys.end() || key->second != row.second.handle.key;
    });
    me.mesh.set_members(me.now(), members);
    me.changed = true;
    me.pump();
}

void MeshDriver::receive(const std::string& member, const wire::Handle& from,
                         std::string_view frame) {
    impl_->incoming[member] = {from, impl_->now()};
    impl_->mesh.receive(impl_->now(), member, frame);
    impl_->pump();
}

void MeshDriver::lost(const wire::Handle& handle) {
    std::erase_if(impl_->incoming, [&](const auto& row) { return row.second.handle == handle; });
}

void MeshDriver::offer(const mesh::DocumentAd& ad, Bytes body) {
    impl_->mesh.offer(impl_->now(), ad, std::move(body));
    impl_->pump();
}

void MeshDriver::withdraw(const Digest& digest) {
    impl_->mesh.withdraw(digest);
}

void MeshDriver::want(const Digest& digest) {
    impl_->mesh.want(impl_->now(), digest);
    impl_->pump();
}

RecordVersion MeshDriver::next_version() const {
    return impl_->mesh.next_version();
}

void MeshDriver::set_own_record(RecordVersion version, Bytes envelope) {
    impl_->mesh.set_own_record(impl_->now(), version, std::move(envelope));
    impl_->changed = true;
    impl_->pump();
}

void MeshDriver::leave() {
    impl_->mesh.leave(impl_->now());
    impl_->pump();
    impl_->stopped = true;
    impl_->timer.cancel();
}

std::int64_t MeshDriver::now_ms() const {
    return impl_->now();
}
const mesh::Mesh& MeshDriver::mesh() const {
    return impl_->mesh;
}
const RecordBook& MeshDriver::book() const {
    return impl_->book;
}
std::size_t MeshDriver::connections() const {
    return impl_->outgoing.size() + impl_->incoming.size();
}

}  // namespace clarity
