#pragma once

#include <utility>

#include <boost/asio/steady_timer.hpp>

#include "node/agent.hpp"
#include "node/curve_keys.hpp"
#include "node/document_policy.hpp"
#include "node/http_endpoints.hpp"
#include "node/lan_beacon.hpp"
#include "node/mesh_driver.hpp"
#include "node/own_record.hpp"
#include "node/query_service.hpp"
#include "node/site_view.hpp"
#include "node/uplink.hpp"
#include "node/workloads.hpp"
#include "protocol/metrics/metrics.hpp"

namespace clarity {

/// The agent's parts and how they are joined. agent.cpp starts them, agent_documents.cpp takes
/// documents and orders in, agent_record.cpp speaks of this node to others.
struct Agent::Impl : std::enable_shared_from_this<Agent::Impl> {
    Impl(boost::asio::io_context& io, AgentConfig given, Identity who, KeyValueStore& kv,
         TrustStore believed);

    boost::asio::io_context& loop;
    AgentConfig config;
    Identity identity;
    KeyValueStore& store;
    TrustStore trust;
    DocumentPolicy policy;
    CurveKeys curve_keys;
    OwnRecord own_record;
    UplinkDecision uplink_decision;
    Metrics metrics;
    boost::asio::steady_timer record_timer;
    boost::asio::steady_timer site_timer;
    boost::asio::steady_timer tick_timer;
    boost::asio::steady_timer leave_timer;
    std::unique_ptr<wire::Wire> net;
    std::uint32_t mesh_listener = 0;
    std::unique_ptr<MeshDriver> mesh;
    std::unique_ptr<LanBeacon> beacon;  ///< where it is configured
    std::unique_ptr<Uplink> uplink;
    std::unique_ptr<Workloads> workloads;
    std::unique_ptr<QueryService> queries;
    std::unique_ptr<http::Server> http;
    std::int64_t signed_at_ms = -1;
    bool record_pending = false;
    bool site_pending = false;
    std::int64_t site_delay_ms = 0;  ///< the last; grows while changes go on coming
    std::int64_t site_done_ms = 0;
    bool stopping = false;
    bool is_settled_in = false;  ///< what the start alone needed was given back
    std::map<std::string, std::string> known_members;  ///< hostnames by server id
    bool was_member = true;
    std::map<Digest, mesh::DocumentAd> seen_ads;  ///< of the mesh, not wanted when they came
    std::map<std::string, std::int64_t> nonces;   ///< of commands acted on, with their expiry
    std::map<Digest, std::int64_t> passed_on;     ///< commands offered to the mesh, with expiry
    std::vector<control::OrderResult> results;    ///< of commands, not sent yet
    std::int64_t results_since_ms = 0;
    std::uint64_t addresses_stored = 0;  ///< AddressBook::changes() of what is on disk
    std::int64_t addresses_stored_ms = 0;
    Endpoints own_endpoints;  ///< as the record says them
    std::int64_t next_endpoints_ms = 0;

    // agent.cpp
    [[nodiscard]] Result<void> start();
    [[nodiscard]] Result<void> start_listeners();
    void start_mesh();
    void start_uplink();
    void start_beacon();
    [[nodiscard]] QuerySources query_sources();
    void receive(const std::string& user, const wire::Handle& from, Bytes frame);
    void on_site_changed();
    void decide_uplink();
    void decide_uplink(const SiteSnapshot& site);
    void load_addresses();
    void store_addresses(bool at_once);
    void look_at_own_endpoints();
    void tick();
    [[nodiscard]] SiteSnapshot snapshot() const;
    [[nodiscard]] SiteView view() const;

    // agent_documents.cpp
    void apply_roster();
    void tell_who_left(const Roster& roster);
    void apply_plan();
    void sync_offers();
    [[nodiscard]] bool wants(const std::string& kind, std::uint64_t version,
                             const Digest& digest) const;
    void on_ad(const mesh::DocumentAd& ad);
    void want_what_is_missing();
    /// `kind` empty = whatever it is. Says its kind; a refusal is in log and record by then.
    Result<std::string> take_document(const std::string& kind, const Bytes& body);
    void take_order(const Bytes& bytes);
    void expect_manifest(const Command& command);
    void load_nonces();
    void forget_old_commands();
    void on_result(control::OrderResult result);
    void send_results();

    // agent_record.cpp
    void touch_record();
    void sign_record();
    [[nodiscard]] Record facts() const;
    [[nodiscard]] Json health() const;

    // agent_metrics.cpp
    [[nodiscard]] std::string metrics_text();
    void cache_metrics(const WorkloadTotals& totals);
    void network_metrics();
    void transport_metrics();
};

/// Wall clock; documents and records only.
[[nodiscard]] std::int64_t unix_ms();

}  // namespace clarity
