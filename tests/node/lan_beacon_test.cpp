// Goal: what members say to the LAN is heard, and nothing else is believed.
// Method: real sockets and multicast on the loopback interface; strangers are a plain socket.
#include <boost/asio/ip/multicast.hpp>
#include <boost/asio/ip/udp.hpp>

#include "node/lan_beacon.hpp"
#include "tests/node/mesh_node.hpp"

using namespace clarity;
using namespace clarity::test;
using namespace std::chrono_literals;
using boost::asio::ip::udp;

namespace {

/// A port that nobody uses now.
std::string free_group(boost::asio::io_context& loop) {
    udp::socket socket(loop, udp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
    return "239.255.84.72:" + std::to_string(socket.local_endpoint().port());
}

struct Talker {
    Talker(boost::asio::io_context& io, std::string name, std::string where, Roster& site)
        : loop(io), id(std::move(name)), group(std::move(where)), roster(site) {
        roster.members.push_back({id, id, key.public_key(), "tcp://127.0.0.1:1", "127.0.0.1:1"});
    }
    void start() {
        LanBeaconSettings settings;
        settings.group = group;
        settings.interface = "127.0.0.1";
        settings.site = roster.site;
        settings.self = id;
        settings.fast_ms = 50;
        settings.answer_ms = 20;
        LanBeaconCallbacks hooks;
        hooks.roster = [this]() -> const Roster& { return roster; };
        hooks.endpoints = [this] { return at; };
        hooks.incarnation = [this] { return incarnation; };
        hooks.heard = [this](const std::string& who, const Endpoints& where) {
            const bool known = heard.contains(who);
            heard[who] = where;
            return known;
        };
        hooks.missing = [this] { return heard.size() + 1 < roster.members.size(); };
        beacon = std::make_unique<LanBeacon>(loop, settings, key, std::move(hooks));
    }
    boost::asio::io_context& loop;
    std::string id;
    std::string group;
    Roster& roster;
    SigningKey key = SigningKey::generate();
    Endpoints at{"tcp://127.0.0.1:8472", "127.0.0.1:8473"};
    std::uint64_t incarnation = 3;
    std::map<std::string, Endpoints> heard;
    std::unique_ptr<LanBeacon> beacon;
};

/// Somebody on the LAN who says whatever it likes.
struct Stranger {
    Stranger(boost::asio::io_context& loop, const std::string& group)
        : socket(loop, udp::v4()),
          to(boost::asio::ip::make_address(group.substr(0, group.find(':'))),
             static_cast<std::uint16_t>(std::stoi(group.substr(group.find(':') + 1)))) {
        socket.set_option(boost::asio::ip::multicast::outbound_interface(
            boost::asio::ip::address_v4::loopback()));
        socket.set_option(boost::asio::ip::multicast::enable_loopback(true));
    }
    void say(const Bytes& datagram) { socket.send_to(boost::asio::buffer(datagram), to); }
    udp::socket socket;
    udp::endpoint to;
};

}  // namespace

TEST_CASE("LAN beacon: members hear where the others are, and soon of one that starts late") {
    boost::asio::io_context loop;
    Roster roster;
    roster.site = "acme/dc-1";
    const auto group = free_group(loop);
    Talker a(loop, "s1", group, roster), b(loop, "s2", group, roster);
    a.start();
    REQUIRE(run_until(loop, [&] { return a.beacon->counters().sent > 0; }));
    b.at.mesh = "tcp://127.0.0.1:9999";
    b.start();
    REQUIRE(run_until(loop, [&] { return a.heard.contains("s2") && b.heard.contains("s1"); }));
    CHECK(a.heard.at("s2").mesh == "tcp://127.0.0.1:9999");
    CHECK(b.heard.at("s1") == a.at);
    b.at.mesh = "tcp://127.0.0.1:7777";
    b.beacon->changed();
    CHECK(run_until(loop, [&] { return a.heard.at("s2").mesh == "tcp://127.0.0.1:7777"; }));
}

TEST_CASE("LAN beacon: forged, replayed, foreign and broken words change nothing") {
    boost::asio::io_context loop;
    Roster roster;
    roster.site = "acme/dc-1";
    const auto group = free_group(loop);
    Talker a(loop, "s1", group, roster), b(loop, "s2", group, roster);
    a.start();
    Stranger stranger(loop, group);
    const auto& counts = a.beacon->counters();
    const LanAnnouncement good{"acme/dc-1", "s2", {"tcp://127.0.0.1:5", ""}, {3, 7}};
    stranger.say(good.seal(SigningKey::generate()));
    REQUIRE(run_until(loop, [&] { return counts.forged == 1; }));
    auto later = good;
    later.number = {3, 8};
    stranger.say(later.seal(b.key));  // it passes on what s2 said: that counts
    REQUIRE(run_until(loop, [&] { return counts.accepted == 1; }));
    later.endpoints.mesh = "tcp://127.0.0.1:6";
    stranger.say(later.seal(b.key));
    stranger.say(good.seal(b.key));
    REQUIRE(run_until(loop, [&] { return counts.replayed == 2; }));
    CHECK(a.heard.at("s2").mesh == "tcp://127.0.0.1:5");
    auto foreign = later;
    foreign.site = "acme/dc-2";
    foreign.number.seq = 9;
    stranger.say(foreign.seal(b.key));
    foreign.site = "acme/dc-1";
    foreign.server_id = "s9";
    stranger.say(foreign.seal(b.key));
    REQUIRE(run_until(loop, [&] { return counts.foreign == 2; }));
    auto nowhere = later;
    nowhere.number.seq = 10;
    nowhere.endpoints.mesh = "ipc:///etc/passwd";
    stranger.say(nowhere.seal(b.key));
    stranger.say("");
    stranger.say(Bytes(1500, 'x'));
    auto changed = later.seal(b.key);
    changed[changed.size() / 2] = static_cast<char>(changed[changed.size() / 2] ^ 1);
    stranger.say(changed);
    REQUIRE(run_until(loop, [&] { return counts.malformed + counts.forged >= 5; }));
    const auto before = counts.malformed;
    for (int i = 0; i < 1000; ++i) stranger.say("noise");
    (void)run_until(
        loop, [&] { return counts.malformed + counts.limited >= before + 900; }, 2s);
    CHECK(counts.limited > 0);
    CHECK(counts.accepted == 1);
    CHECK(a.heard.size() == 1);
}

TEST_CASE("LAN beacon: a group is a multicast address and a port") {
    CHECK(LanBeacon::check_group("239.255.84.72:8475"));
    for (const auto* bad : {"", "239.255.84.72", "10.0.0.1:8475", "239.255.84.72:0", "x:1",
                            "239.255.84.72:99999", "239.255.84.72:8475x"}) {
        CAPTURE(bad);
        CHECK_FALSE(LanBeacon::check_group(bad));
    }
}
