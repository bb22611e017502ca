#pragma once

#include <utility>

#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "protocol/control.hpp"
#include "protocol/mesh/mesh.hpp"
#include "protocol/roster.hpp"
#include "protocol/wire/wire.hpp"

namespace clarity {

struct UplinkTimes {
    std::int64_t report_min_ms = 250;       ///< between two reports of changes
    std::int64_t report_max_ms = 10'000;    ///< without changes: the ages
    std::int64_t fetch_timeout_ms = 5'000;  ///< without progress: asked again, for the rest
    std::size_t fetches_max = 8;
};

/// All run on the loop.
struct UplinkCallbacks {
    std::function<control::Hello()> hello;              ///< our numbers now
    std::function<std::vector<control::View>()> views;  ///< without records
    std::function<mesh::RecordPtr(const std::string& server_id)> record;  ///< none = unknown
    std::function<bool(const control::Ad&)> wants;  ///< worth pulling now?
    std::function<void(const control::Ad&, const Bytes& body)> document;
    std::function<void(const Bytes& envelope)> order;
    std::function<void(bool reaches)> reach_changed;
};

/// This node's connection to the coordinators while it is one of the site's uplinks: reports the
/// site's records and views, as deltas, and brings documents and orders in. Loop thread only.
class Uplink {
  public:
    Uplink(boost::asio::io_context& loop, wire::Wire& net, UplinkTimes times,
           UplinkCallbacks callbacks);
    ~Uplink();

    /// Connects or lets go; `coordinators` from the newest roster.
    void set(bool hold, const std::vector<CoordinatorAddress>& coordinators);
    /// Something to report: goes out at once where the last report is long enough ago.
    void site_changed();
    /// Our own numbers or what we may want changed: says hello again and looks at the offer anew.
    void trust_changed();
    void send_result(const control::OrderResult& result);

    [[nodiscard]] bool reaches_coordinator() const;
    /// Connects at least one coordinator address: the node is an uplink.
    [[nodiscard]] bool holding() const;

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace clarity
