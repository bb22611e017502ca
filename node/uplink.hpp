#pragma once

#include <utility>

#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "node/report_stream.hpp"
#include "protocol/control.hpp"
#include "protocol/mesh/mesh.hpp"
#include "protocol/roster.hpp"
#include "protocol/wire/wire.hpp"

namespace clarity {

struct UplinkTimes {
    ReportTimes reports = {};
    std::int64_t fetch_timeout_ms = 5'000;  ///< without progress: asked again, for the rest
    std::int64_t fetch_timeout_max_ms = 60'000;
    std::int64_t reopen_min_ms = 1'000;  ///< to a new try after a silent coordinator
    std::int64_t reopen_max_ms = 60'000;
    std::int64_t look_again_ms = 10'000;   ///< at what is offered: a refused one may be wanted now
    std::int64_t hello_again_ms = 10'000;  ///< to a second hello, where an offer was lost
    /// TCP keep-alive of a quiet connection: what finds a line that swallows packets. The primary
    /// pays for finding it soon.
    int primary_keepalive_s = 10;
    int standby_keepalive_s = 30;
    std::size_t fetches_max = 8;
};

/// For the metrics; each only rises. Bytes are those of frames, before CURVE, TCP and IP.
struct UplinkCounters {
    std::uint64_t reports = 0;
    std::uint64_t resyncs = 0;  ///< reports whose digest the coordinator did not agree with
    std::uint64_t frames_out = 0, bytes_out = 0;
    std::uint64_t frames_in = 0, bytes_in = 0;
    std::uint64_t silences = 0;  ///< connections given up since no answer came
    std::uint64_t changes = 0;   ///< became or ceased to be an uplink, or the primary one
};

/// All run on the loop.
struct UplinkCallbacks {
    std::function<control::Hello()> hello;                                ///< our numbers now
    std::function<std::vector<control::View>()> views;                    ///< without records
    std::function<mesh::RecordPtr(const std::string& server_id)> record;  ///< none = unknown
    std::function<bool(const control::Ad&)> wants;                        ///< worth pulling now?
    std::function<void(const control::Ad&, const Bytes& body)> document;
    std::function<void(const Bytes& envelope)> order;
    std::function<void(bool reaches)> reach_changed;
};

/// This node's connection to the coordinators while it is one of the site's uplinks: reports the
/// site's records and views, as deltas (ReportStream), and brings documents and orders in. A
/// coordinator that does not answer is let go and tried again later. Loop thread only.
class Uplink {
  public:
    Uplink(boost::asio::io_context& loop, wire::Wire& net, UplinkTimes times,
           UplinkCallbacks callbacks);
    ~Uplink();

    /// Connects or lets go; `coordinators` from the newest roster. The primary uplink of a site
    /// tells every change.
    void set(bool hold, bool primary, const std::vector<CoordinatorAddress>& coordinators);
    /// Something to report: goes out at once where the last report is long enough ago.
    void site_changed();
    /// Our own numbers or what we may want changed: says hello again and looks at the offer anew.
    void trust_changed();
    void send_result(const control::OrderResult& result);

    [[nodiscard]] bool reaches_coordinator() const;
    /// Connects at least one coordinator address: the node is an uplink.
    [[nodiscard]] bool holding() const;
    [[nodiscard]] const UplinkCounters& counters() const;

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace clarity
