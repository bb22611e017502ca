#include "node/lan_beacon.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/ip/multicast.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <charconv>
#include <chrono>
#include <map>
#include <random>
#include <set>

#include "node/own_endpoints.hpp"
#include "protocol/log/log.hpp"

namespace clarity {
namespace {

using boost::asio::ip::udp;
namespace multicast = boost::asio::ip::multicast;

constexpr std::int64_t reopen_min_ms = 1000;
constexpr std::int64_t reopen_max_ms = 30'000;
constexpr int hops = 1;  // this LAN, no further

std::int64_t steady_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

/// Bounded work per second, whatever comes in.
class PerSecond {
  public:
    explicit PerSecond(std::uint32_t most) : most_(most) {}
    bool take(std::int64_t now_ms) {
        if (now_ms - since_ms_ >= 1000) {
            since_ms_ = now_ms;
            taken_ = 0;
        }
        return taken_++ < most_;
    }

  private:
    std::uint32_t most_;
    std::uint32_t taken_ = 0;
    std::int64_t since_ms_ = 0;
};

Result<udp::endpoint> group_of(std::string_view text) {
    const auto colon = text.rfind(':');
    boost::system::error_code error;
    const auto address =
        boost::asio::ip::make_address_v4(std::string(text.substr(0, colon)), error);
    std::uint16_t port = 0;
    const auto digits = colon == text.npos ? std::string_view() : text.substr(colon + 1);
    const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (error || !address.is_multicast() || fault != std::errc() ||
        end != digits.data() + digits.size() || port == 0) {
        return fail(Errc::invalid,
                    "\"{}\" is no multicast ADDRESS:PORT, such as 239.255.84.72:8475", text);
    }
    return udp::endpoint(address, port);
}

}  // namespace

struct LanBeacon::Impl : std::enable_shared_from_this<LanBeacon::Impl> {
    Impl(boost::asio::io_context& io, LanBeaconSettings given, const SigningKey& identity,
         LanBeaconCallbacks hooks)
        : settings(std::move(given)),
          key(identity),
          callbacks(std::move(hooks)),
          socket(io),
          send_timer(io),
          open_timer(io),
          looked_at(settings.heard_max_s),
          verified(settings.verified_max_s),
          random(static_cast<std::uint_fast32_t>(std::random_device{}())) {}

    LanBeaconSettings settings;
    const SigningKey& key;
    LanBeaconCallbacks callbacks;
    LanBeaconCounters counters;
    udp::socket socket;
    boost::asio::steady_timer send_timer;
    boost::asio::steady_timer open_timer;
    udp::endpoint group;
    udp::endpoint sender;
    std::array<char, lan_announcement_max_bytes + 1> buffer{};
    PerSecond looked_at;
    PerSecond verified;
    std::minstd_rand random;
    std::map<PublicKey, RecordVersion> newest;  ///< verified; another key counts anew
    boost::asio::ip::address_v4 joined;         ///< on this address's interface
    std::uint64_t seq = 0;
    std::int64_t fast_until_ms = 0;
    std::int64_t send_at_ms = 0;
    std::int64_t reopen_ms = reopen_min_ms;
    std::string told;  ///< the last problem logged
    bool is_open = false;
    bool stopped = false;

    Result<boost::asio::ip::address_v4> interface_address() const {
        if (settings.interface.empty()) return boost::asio::ip::address_v4::any();
        const auto resolved = resolve_interface(settings.interface + ":1");
        boost::system::error_code error;
        const auto address =
            boost::asio::ip::make_address_v4(resolved.substr(0, resolved.rfind(':')), error);
        if (error) {
            return fail(Errc::network, "interface {} has no IPv4 address now", settings.interface);
        }
        return address;
    }

    Result<void> open() {
        CLARITY_TRY(group, group_of(settings.group));
        CLARITY_TRY(const auto own, interface_address());
        boost::system::error_code ignored;
        socket.close(ignored);
        try {
            socket.open(udp::v4());
            socket.set_option(udp::socket::reuse_address(true));
            socket.bind(udp::endpoint(group.address(), group.port()));
            socket.set_option(multicast::join_group(group.address().to_v4(), own));
            if (!own.is_unspecified()) socket.set_option(multicast::outbound_interface(own));
            socket.set_option(multicast::hops(hops));
            socket.set_option(multicast::enable_loopback(true));  // more agents on this host
            socket.non_blocking(true);
        } catch (const boost::system::system_error& error) {
            socket.close(ignored);
            return fail(Errc::network, "group {} cannot be joined: {}", settings.group,
                        error.code().message());
        }
        joined = own;
        return {};
    }

    void start() {
        if (stopped) return;
        const auto opened = open();
        if (opened) {
            is_open = true;
            reopen_ms = reopen_min_ms;
            told.clear();
            log::info("LAN beacon: in group {}", settings.group);
            receive();
            hurry(0);
            return;
        }
        is_open = false;
        if (told != opened.error().message) {
            told = opened.error().message;
            log::warning("LAN beacon: {}; trying on", told);
        }
        open_timer.expires_after(std::chrono::milliseconds(jittered(reopen_ms)));
        reopen_ms = std::min(2 * reopen_ms, reopen_max_ms);
        open_timer.async_wait([self = weak_from_this()](const auto& error) {
            const auto me = self.lock();
            if (!error && me) me->start();
        });
    }

    std::int64_t jittered(std::int64_t ms) {
        return std::uniform_int_distribution<std::int64_t>(ms / 2, ms)(random);
    }

    /// The next announcement within `most_ms`, and often for a while.
    void hurry(std::int64_t most_ms) {
        fast_until_ms = steady_ms() + settings.fast_for_ms;
        schedule(most_ms);
    }

    void schedule(std::int64_t wait_ms) {
        if (stopped || !is_open) return;
        const auto at = steady_ms() + (wait_ms == 0 ? 0 : jittered(wait_ms));
        send_at_ms = at;
        send_timer.expires_after(std::chrono::milliseconds(at - steady_ms()));
        send_timer.async_wait([self = weak_from_this()](const auto& error) {
            const auto me = self.lock();
            if (error || !me || me->stopped) return;
            me->announce();
            const bool fast = steady_ms() < me->fast_until_ms && me->callbacks.missing();
            me->schedule(fast ? me->settings.fast_ms : me->settings.slow_ms);
        });
    }

    void announce() {
        const auto endpoints = callbacks.endpoints();
        const auto incarnation = callbacks.incarnation();
        if (endpoints.mesh.empty() || incarnation == 0) return;
        const LanAnnouncement said{settings.site, settings.self, endpoints, {incarnation, ++seq}};
        const auto datagram = said.seal(key);
        boost::system::error_code error;
        socket.send_to(boost::asio::buffer(datagram), group, 0, error);
        if (!error) {
            ++counters.sent;
            return;
        }
        ++counters.send_failed;
        if (error == boost::asio::error::would_block) return;
        // The interface went or has another address: join anew.
        is_open = false;
        boost::system::error_code ignored;
        socket.close(ignored);
        start();
    }

    void receive() {
        socket.async_receive_from(
            boost::asio::buffer(buffer), sender,
            [self = weak_from_this()](const auto& error, std::size_t size) {
                const auto me = self.lock();
                if (!me || me->stopped || error == boost::asio::error::operation_aborted) return;
                if (!error) me->take(std::string_view(me->buffer.data(), size));
                if (me->is_open) me->receive();
            });
    }

    void take(std::string_view datagram) {
        const auto now = steady_ms();
        ++counters.received;
        if (!looked_at.take(now)) {
            ++counters.limited;
            return;
        }
        const auto claimed = read_lan_announcement(datagram);
        if (!claimed) {
            ++counters.malformed;
            return;
        }
        const auto& claim = claimed->claim;
        if (claim.server_id == settings.self && claim.site == settings.site) return;
        const auto& roster = callbacks.roster();
        const auto* member = roster.find(claim.server_id);
        if (claim.site != settings.site || member == nullptr) {
            ++counters.foreign;
            return;
        }
        const auto known = newest.find(member->key);
        if (known != newest.end() && claim.number <= known->second) {
            ++counters.replayed;
            return;
        }
        if (!verified.take(now)) {
            ++counters.limited;
            return;
        }
        if (!verify_lan_announcement(roster, *claimed)) {
            ++counters.forged;
            return;
        }
        newest[member->key] = claim.number;
        ++counters.accepted;
        if (callbacks.heard(claim.server_id, claim.endpoints)) return;
        // It may not know where we are either.
        if (send_at_ms - now > settings.answer_ms) hurry(settings.answer_ms);
    }
};

LanBeacon::LanBeacon(boost::asio::io_context& loop, LanBeaconSettings settings,
                     const SigningKey& key, LanBeaconCallbacks callbacks)
    : impl_(std::make_shared<Impl>(loop, std::move(settings), key, std::move(callbacks))) {
    impl_->start();
}

LanBeacon::~LanBeacon() {
    impl_->stopped = true;
    boost::system::error_code ignored;
    impl_->socket.close(ignored);
    impl_->send_timer.cancel();
    impl_->open_timer.cancel();
}

void LanBeacon::changed() {
    auto& me = *impl_;
    std::set<PublicKey> members;
    for (const auto& member : me.callbacks.roster().members) members.insert(member.key);
    std::erase_if(me.newest, [&](const auto& row) { return !members.contains(row.first); });
    const auto own = me.interface_address();
    if (me.is_open && own && *own != me.joined) return me.start();
    me.hurry(me.settings.answer_ms);
}

const LanBeaconCounters& LanBeacon::counters() const {
    return impl_->counters;
}

Result<void> LanBeacon::check_group(std::string_view group) {
    CLARITY_CHECK(group_of(group));
    return {};
}

}  // namespace clarity
