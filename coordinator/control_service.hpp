#pragma once

#include <utility>

#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "coordinator/metrics.hpp"
#include "protocol/control.hpp"
#include "protocol/wire/wire.hpp"

namespace clarity::coordinator {

/// What the control service asks of its owner. All run on the loop.
struct ControlHooks {
    /// Current documents of a site, without the beacon.
    std::function<std::vector<control::Ad>(const std::string& site)> ads;
    /// One of them by its digest.
    std::function<Result<Bytes>(const std::string& site, const Digest& digest)> document;
    /// The site that a member belongs to now.
    std::function<std::optional<std::string>(const std::string& server_id)> site_of;
    /// A fresh beacon's envelope; empty when there is none to sign.
    std::function<Bytes(const std::string& site)> beacon;
    /// Gives the answer: views, records wanted and time; offer and beacon are added here.
    std::function<control::Ack(const std::string& site, const std::string& server_id,
                               const control::Report& report)>
        on_report;
    std::function<void(const std::string& server_id, const control::OrderResult& result)>
        on_order_result;
};

struct ControlSettings {
    std::string listen = "127.0.0.1:0";  ///< "address:port"
    CurveKey secret;
};

/// The uplinks' end of the control connection: ZeroMQ ROUTER under CURVE. Lets in members of
/// rosters only, by their key; hands them their own site's documents and nothing else. Loop thread
/// only; the wire's thread posts to it.
class ControlService {
  public:
    static constexpr std::int64_t idle_max_ms = 300'000;  ///< a standby reports every 120 s
    static constexpr int fetches_per_s_max = 64;          ///< of one connection
    /// A site's beacon goes to its primary uplink with the first acknowledgement after this, to a
    /// standby only where no primary has had one for long.
    static constexpr std::int64_t beacon_every_ms = 50'000;
    static constexpr std::int64_t beacon_standby_ms = 150'000;

    [[nodiscard]] static Result<std::unique_ptr<ControlService>> start(
        boost::asio::io_context& loop, const ControlSettings& settings, ControlHooks hooks,
        Counters& metrics);
    ~ControlService();

    [[nodiscard]] std::uint16_t port() const { return port_; }
    /// CURVE key of each member → its server id. Whoever is gone is cut off.
    void set_members(const std::map<CurveKey, std::string>& members);
    /// Pushes an Offer to the site's uplinks at once, and a beacon to the primary one.
    void offer(const std::string& site);
    /// Asks the site's uplinks to report now; how many there are.
    std::size_t ask(const std::string& site);
    /// To all uplinks of the site; how many there are.
    std::size_t send_order(const std::string& site, const Bytes& envelope);
    [[nodiscard]] std::size_t connections(const std::string& site) const;
    /// Sites with an uplink now.
    [[nodiscard]] std::vector<std::string> sites() const;
    /// Forgets connections that have been silent for long.
    void expire(std::int64_t now_ms);

  private:
    struct Connection {
        std::string server_id;
        std::string site;
        std::int64_t heard_ms = 0;
        std::int64_t fetch_window_ms = 0;
        int fetches = 0;
        std::int64_t primary_ms = -1;  ///< when it last reported as the primary uplink
    };
    struct SiteLine {
        std::uint64_t offer = 0;  ///< offer_hash() of the documents now; 0 = not offered yet
        std::int64_t beacon_ms = -1;
    };

    ControlService(ControlHooks hooks, Counters& metrics)
        : hooks_(std::move(hooks)), metrics_(metrics) {}
    void receive(const std::string& server_id, const wire::Handle& from, const Bytes& frame);
    void handle(Connection& connection, const wire::Handle& from, const control::Message& message);
    void answer(Connection& connection, const wire::Handle& to, const control::Fetch& fetch);
    void acknowledge(Connection& connection, const wire::Handle& to, const control::Report& report);
    void send_offer(const Connection& connection, const wire::Handle& to);
    void send(const wire::Handle& to, const control::Message& message);
    [[nodiscard]] Bytes beacon_of(const std::string& site);

    ControlHooks hooks_;
    Counters& metrics_;
    std::map<wire::Handle, Connection> connections_;
    std::map<std::string, SiteLine> lines_;  ///< by site
    std::uint32_t listener_ = 0;
    std::uint16_t port_ = 0;
    std::unique_ptr<wire::Wire> wire_;  ///< last: it posts to all of the above
};

}  // namespace clarity::coordinator
