#include "node/mesh_driver.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <optional>
#include <set>

#include "node/mesh_links.hpp"
#include "protocol/log/log.hpp"
#include "protocol/query.hpp"

namespace clarity {
namespace {

constexpr std::int64_t active_every_ms = 1000;
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
    Impl(boost::asio::io_context& io, wire::Wire& wire, MeshDriverSettings given,
         MeshCallbacks hooks)
        : loop(io),
          net(wire),
          settings(std::move(given)),
          callbacks(std::move(hooks)),
          timer(io),
          links(link_settings(), link_actions()),
          mesh(mesh_settings(), settings.incarnation) {}

    boost::asio::io_context& loop;
    wire::Wire& net;
    MeshDriverSettings settings;
    MeshCallbacks callbacks;
    boost::asio::steady_timer timer;
    const std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
    Roster roster;
    std::map<std::string, CurveKey> curve_keys;
    AddressBook addresses;
    RecordBook book;
    MeshLinks links;
    std::map<std::string, std::uint64_t> dials;  ///< the newest of each member
    std::uint64_t dials_made = 0;
    std::optional<std::uint64_t> unstored_incarnation;
    std::int64_t active_ms = -active_every_ms;
    std::int64_t told_silent_ms = -1;
    std::int64_t record_received_ms = -1;
    std::int64_t armed_ms = -1;  ///< for when the timer is set; -1 = not at all
    bool pumping = false;
    bool settling = false;  ///< settle() is on its way
    bool changed = false;
    bool roster_changed = false;
    std::set<std::string> fresh_records;  ///< whose, since the book was updated
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
        // Where one agent starts, the others of its host or site may be starting as well.
        out.local_health_first = 3;
        out.verify_record = [this](const std::string& owner, RecordVersion version,
                                   std::string_view bytes) {
            const auto envelope = Envelope::decode(bytes);
            if (!envelope) return false;
            // The rest may be of a newer version: it is for those who can read it.
            const auto head = verify_record_head(roster, *envelope);
            return head && head->server_id == owner && head->version == version;
        };
        out.verify_document = [](const mesh::DocumentAd& ad, std::string_view bytes) {
            const auto envelope = Envelope::decode(bytes);
            return envelope && envelope->digest() == ad.digest;
        };
        return out;
    }

    LinkSettings link_settings() const {
        auto out = settings.links;
        out.self = settings.self;
        out.seed = settings.seed;
        return out;
    }

    LinkActions link_actions() {
        LinkActions out;
        out.dial = [this](const std::string& member, const std::string& endpoint) {
            dial(member, endpoint);
        };
        out.hang_up = [this](const std::string& member) {
            dials.erase(member);
            net.disconnect(peer_name(member));
        };
        out.send = [this](const std::string& member, Bytes frame) {
            net.send(peer_name(member), std::move(frame));
        };
        out.reply = [this](const wire::Handle& to, Bytes frame) {
            net.reply(to, std::move(frame));
        };
        out.cut = [this](const wire::Handle& from) { net.cut(from); };
        out.addresses = [this](const std::string& member) { return addresses.mesh(member); };
        out.answered = [this](const std::string& member, const std::string& endpoint) {
            addresses.answered(member, endpoint);
        };
        return out;
    }

    void dial(const std::string& member, const std::string& endpoint) {
        const auto key = curve_keys.find(member);
        if (key == curve_keys.end()) return;
        const auto self = weak_from_this();
        const auto number = ++dials_made;
        dials[member] = number;
        net.connect({peer_name(member),
                     endpoint,
                     key->second,
                     [self, member](Bytes frame) {
                         const auto me = self.lock();
                         if (!me || !query::is(query::Channel::mesh, frame)) return;
                         me->links.received(me->now(), member);
                         me->take(member, query::body_of(frame));
                     },
                     [self, member, number](wire::PeerEvent event) {
                         const auto me = self.lock();
                         if (me) me->happened(member, number, event);
                     },
                     0,
                     {.site = settings.site, .server = settings.self}});
    }

    /// `number` tells a late word of a connection that was given up from one of the present one.
    void happened(const std::string& member, std::uint64_t number, wire::PeerEvent event) {
        const auto at = dials.find(member);
        if (stopped || at == dials.end() || at->second != number) return;
        bool unreachable = false;
        switch (event) {
            case wire::PeerEvent::up: links.up(now(), member); break;
            case wire::PeerEvent::down: unreachable = links.down(now(), member); break;
            case wire::PeerEvent::refused: unreachable = links.refused(now(), member); break;
            case wire::PeerEvent::dropped: unreachable = true; break;
        }
        if (unreachable) mesh.peer_unreachable(now(), member);
        pump();
    }

    void take(const std::string& member, std::string_view frame) {
        if (stopped) return;
        mesh.receive(now(), member, frame);
        pump();
    }

    void send(const mesh::Send& send) {
        using enum MeshLinks::Belief;
        const auto state = mesh.state_of(send.to);
        const bool gone = state == mesh::State::dead || state == mesh::State::left;
        links.send(now(), send.to, query::wrap(query::Channel::mesh, send.frame),
                   gone ? dead : (state == mesh::State::unknown ? unknown : alive));
    }

    void look_at_active(bool at_once) {
        if (!at_once && now() - active_ms < active_every_ms) return;
        active_ms = now();
        links.set_active(now(), mesh.active_peers());
    }

    /// What the newest records say of where their owners are.
    void learn_addresses(const std::vector<std::string>& owners) {
        for (const auto& owner : owners) {
            if (owner == settings.self || !mesh.records().contains(owner)) continue;
            const auto version = mesh.records().at(owner).version;
            if (addresses.learn(owner, version, book.endpoints(owner))) {
                links.address_changed(now(), owner);
                mesh.peer_found(now(), owner);
            }
        }
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
                    if (each.state == mesh::State::dead) links.close(each.id, true);
                    log::info("mesh: {} is {}", member == nullptr ? each.id : member->hostname,
                              mesh::name_of(each.state));
                },
                [&](mesh::RecordReceived& each) {
                    changed = true;
                    fresh_records.insert(each.owner);
                    record_received_ms = now();
                },
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
        if (settling) return;
        settling = true;
        boost::asio::post(loop, [self = weak_from_this()] {
            if (const auto me = self.lock(); me && !me->stopped) me->settle();
        });
    }

    void take_changes() {
        // After a change of the roster anybody's may be gone; a site's start is many changes.
        const auto fresh = std::exchange(fresh_records, {});
        learn_addresses(std::exchange(roster_changed, false) ? book.update(mesh)
                                                             : book.update(mesh, fresh));
        look_at_active(true);
    }

    /// What frames that came together need once.
    void settle() {
        settling = false;
        if (std::exchange(changed, false)) {
            take_changes();
            callbacks.changed();
        }
        if (!stopped) arm();
    }

    void arm() {
        const auto time = now();
        const auto due = std::min(mesh.deadline(), links.deadline());
        const auto at = time + std::clamp(due - time, wait_min_ms, wait_max_ms);
        if (at == armed_ms) return;
        armed_ms = at;
        timer.expires_after(std::chrono::milliseconds(at - time));
        timer.async_wait([self = weak_from_this()](const auto& error) {
            const auto me = self.lock();
            if (error || !me || me->stopped) return;
            me->armed_ms = -1;
            me->mesh.on_time(me->now());
            me->look_at_active(false);
            me->links.on_time(me->now());
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
    const auto before = std::exchange(me.curve_keys, {});
    std::vector<mesh::MemberSpec> members;
    std::vector<mesh::MemberSpec> same;  // who had another key so far is forgotten with its record
    for (const auto& member : roster.members) {
        members.push_back({member.server_id});
        const auto key = me.settings.curve_of(member.key);
        if (key) me.curve_keys[member.server_id] = *key;
        const auto was = before.find(member.server_id);
        if (was == before.end() || (key && was->second == *key)) same.push_back(members.back());
    }
    me.addresses.set_roster(roster);
    for (const auto& id : me.links.members()) {
        const auto key = me.curve_keys.find(id);
        // Another key is another machine, at the same address as a rule.
        const auto was = before.find(id);
        if (key == me.curve_keys.end() || was == before.end() || was->second != key->second) {
            me.links.close(id, false);
        }
    }
    if (same.size() != members.size()) me.mesh.set_members(me.now(), same);
    me.mesh.set_members(me.now(), members);
    me.changed = true;
    me.roster_changed = true;
    me.pump();
}

void MeshDriver::receive(const std::string& member, const wire::Handle& from,
                         std::string_view frame) {
    // What was under way when the roster changed.
    const auto key = impl_->curve_keys.find(member);
    if (key == impl_->curve_keys.end() || key->second != from.key) return;
    impl_->links.received(impl_->now(), member, from);
    impl_->take(member, frame);
}

void MeshDriver::lost(const wire::Handle& handle) {
    auto& me = *impl_;
    if (me.stopped) return;
    if (const auto member = me.links.lost(me.now(), handle)) {
        me.mesh.peer_unreachable(me.now(), *member);
    }
    me.pump();
}

void MeshDriver::heard(const std::string& member, const Endpoints& endpoints) {
    auto& me = *impl_;
    const bool news = me.addresses.heard(member, endpoints);
    const auto state = me.mesh.state_of(member);
    const bool there = state == mesh::State::alive || state == mesh::State::suspect;
    if (news || !there) me.links.address_changed(me.now(), member);
    me.mesh.peer_found(me.now(), member);
    me.pump();
}

void MeshDriver::moved() {
    auto& me = *impl_;
    for (const auto& member : me.links.members()) me.links.close(member, false);
    me.look_at_active(true);
    me.pump();
}

Result<void> MeshDriver::load_addresses(std::string_view bytes) {
    return impl_->addresses.load(bytes);
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
    impl_->fresh_records.insert(impl_->settings.self);
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
std::int64_t MeshDriver::record_received_ms() const {
    return impl_->record_received_ms;
}
const AddressBook& MeshDriver::addresses() const {
    return impl_->addresses;
}
const LinkCounters& MeshDriver::link_counters() const {
    return impl_->links.counters();
}
std::size_t MeshDriver::connections() const {
    return impl_->links.connections();
}

}  // namespace clarity
