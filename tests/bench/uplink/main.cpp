// uplink_driver REST_URL CA_PEM_FILE ADMIN_TOKEN_FILE SITE MEMBERS
//
// For uplink_bench.py: enrols MEMBERS servers (edge-1, …) at a real coordinator and then is the two
// uplinks of their site: the agent's Uplink and transport, real; the site behind them made up, each
// member alive, with a record that it signed and evidence up to 12 s old. Prints ENROLLED, REPORT
// for every report, and AGREED once both have nothing more to tell. Runs until it is stopped.

#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <cstdio>
#include <random>
#include <thread>

#include "node/uplink.hpp"
#include "protocol/http/client.hpp"
#include "protocol/json.hpp"
#include "protocol/x509.hpp"
#include "storage/files.hpp"

using namespace clarity;

namespace {

constexpr std::int64_t evidence_max_ms = 12'000;
constexpr auto quiet = std::chrono::seconds(3);
/// After enrolment, for the bench to read the link's counters.
constexpr auto pause = std::chrono::seconds(2);

struct Coordinator {
    std::string url;
    std::string ca_pem;
    std::string token;
    std::shared_ptr<HttpConnection> connection = std::make_shared<HttpConnection>();

    Result<Json> call(const std::string& method, const std::string& path, const Json& body,
                      const std::string& bearer) const {
        HttpRequest request;
        request.method = method;
        request.url = url + path;
        request.ca_pem = ca_pem;
        request.connection = connection;
        request.headers.emplace_back("Authorization", "Bearer " + bearer);
        if (!body.is_null()) request.body = to_text(body);
        CLARITY_TRY(const auto response, http_request(request));
        if (response.status >= 300) return fail(Errc::failed, "{}: {}", path, response.body);
        return parse_json(response.body);
    }
};

struct Member {
    std::string id;
    SigningKey key = SigningKey::generate();
    mesh::RecordPtr record;
};

Result<Member> enrol(const Coordinator& at, const std::string& site, int number) {
    Member out;
    const auto hostname = "edge-" + std::to_string(number);
    CLARITY_TRY(const auto token, at.call("POST", "/api/v1/tokens",
                                          Json{{"site", site}, {"server", hostname}}, at.token));
    CLARITY_TRY(const auto csr, x509::make_csr(out.key, hostname));
    CLARITY_TRY(const auto made, at.call("POST", "/api/v1/enrol",
                                         Json{{"server", hostname},
                                              {"csr_pem", csr},
                                              {"public_key", out.key.public_key().hex()},
                                              {"mesh_endpoint", "tcp://10.77.0.11:8472"},
                                              {"swarm_endpoint", "10.77.0.11:8473"}},
                                         token["token"].get<std::string>()));
    out.id = made["server_id"];
    return out;
}

/// As an agent with two services that run makes it.
mesh::RecordPtr record_of(const Member& member, const std::string& site) {
    Record record;
    record.site = site;
    record.server_id = member.id;
    record.version = {3, 17};
    record.agent_version = CLARITY_VERSION;
    record.started_unix_ms = record.updated_unix_ms = 1'790'000'000'000;
    record.roster_epoch = 1000;
    record.plan_seq = 41;
    record.plan_settled = true;
    for (const auto* name : {"app-server", "edge-beacon"}) {
        ServiceStatus service;
        service.name = name;
        service.version = "1.4.2";
        service.state = ServiceState::running;
        service.health = Health::healthy;
        service.since_unix_ms = 1'790'000'000'000;
        service.plan_seq = 41;
        record.services.push_back(std::move(service));
        Holding holding;
        holding.sha256 = *Digest::from(random_bytes(32));
        holding.artifact = name;
        holding.version = "1.4.2";
        holding.size_bytes = 200U << 20;
        holding.pieces = holding.pieces_have = 1600;
        holding.complete = true;
        holding.lan_bytes = 200U << 20;
        record.holdings.push_back(std::move(holding));
    }
    auto envelope = Envelope::make(payload_type::record, record.encode());
    envelope.sign(member.key);
    return std::make_shared<mesh::StoredRecord>(
        mesh::StoredRecord{record.version, envelope.encode()});
}

/// One of the two uplinks.
struct Side {
    std::unique_ptr<wire::Wire> net;
    std::unique_ptr<Uplink> uplink;
    std::uint64_t reports = 0;
};

class Driver {
  public:
    Driver(std::string site, std::vector<Member> members)
        : site_(std::move(site)), members_(std::move(members)) {
        for (auto& member : members_) {
            member.record = record_of(member, site_);
            by_id_[member.id] = member.record;
        }
    }
    ~Driver() {
        for (auto& side : sides_) side.net.reset();
    }

    Result<void> start(const CoordinatorAddress& address) {
        for (std::size_t i = 0; i < 2; ++i) {
            wire::Settings settings;
            settings.secret = members_[i].key.curve_secret();
            settings.post = [this](std::function<void()> f) {
                boost::asio::post(loop_, std::move(f));
            };
            CLARITY_TRY(sides_[i].net, wire::Wire::start(std::move(settings)));
            UplinkCallbacks hooks;
            hooks.hello = [this, i] {
                return control::Hello{site_, members_[i].id, 1000, 41, 1, CLARITY_VERSION};
            };
            hooks.views = [this, i] { return views(i); };
            hooks.record = [this](const std::string& id) { return by_id_.at(id); };
            hooks.wants = [](const control::Ad&) { return false; };
            hooks.document = [](const control::Ad&, const Bytes&) {};
            hooks.order = [](const Bytes&) {};
            hooks.reach_changed = [](bool) {};
            sides_[i].uplink =
                std::make_unique<Uplink>(loop_, *sides_[i].net, UplinkTimes{}, std::move(hooks));
            sides_[i].uplink->set(true, i == 0, {address});
        }
        return {};
    }

    void run() {
        auto told = std::chrono::steady_clock::now();
        bool agreed = false;
        for (;;) {
            loop_.restart();
            loop_.run_for(std::chrono::milliseconds(200));
            for (auto& side : sides_) {
                for (; side.reports < side.uplink->counters().reports; ++side.reports) {
                    std::puts("REPORT");
                    told = std::chrono::steady_clock::now();
                }
            }
            const bool both = sides_[0].reports > 0 && sides_[1].reports > 0;
            if (!agreed && both && std::chrono::steady_clock::now() - told > quiet) {
                std::puts("AGREED");
                agreed = true;
            }
            std::fflush(stdout);
        }
    }

  private:
    std::string site_;
    std::vector<Member> members_;
    std::map<std::string, mesh::RecordPtr> by_id_;
    boost::asio::io_context loop_;
    Side sides_[2];
    std::mt19937 random_{1};

    std::vector<control::View> views(std::size_t self) {
        std::vector<control::View> out;
        for (const auto& member : members_) {
            const auto age = static_cast<std::int64_t>(random_() % evidence_max_ms);
            const auto& witness = members_[random_() % members_.size()].id;
            out.push_back(
                {member.id, "alive", &member == &members_[self] ? 0 : age, witness, {}, {}});
        }
        return out;
    }
};

Result<void> drive(const std::vector<std::string>& arguments) {
    Coordinator at{arguments[0], {}, {}};
    CLARITY_TRY(at.ca_pem, read_file(arguments[1], 100'000));
    CLARITY_TRY(at.token, read_file(arguments[2], 1000));
    while (!at.token.empty() && at.token.back() == '\n') at.token.pop_back();
    std::vector<Member> members;
    for (int i = 1; i <= std::stoi(arguments[4]); ++i) {
        CLARITY_TRY(auto member, enrol(at, arguments[3], i));
        members.push_back(std::move(member));
    }
    CLARITY_TRY(const auto info, at.call("GET", "/api/v1/info", {}, at.token));
    CLARITY_TRY(const auto key, CurveKey::from_hex(info["control_curve_key"].get<std::string>()));
    std::puts("ENROLLED");
    std::fflush(stdout);
    std::this_thread::sleep_for(pause);
    Driver driver(arguments[3], std::move(members));
    CLARITY_CHECK(driver.start({info["control_endpoint"].get<std::string>(), key, at.url}));
    driver.run();
    return {};
}

}  // namespace

int main(int count, char** values) {
    init_crypto();
    const std::vector<std::string> arguments(values + 1, values + count);
    if (arguments.size() != 5) {
        std::fputs("uplink_driver REST_URL CA_PEM_FILE ADMIN_TOKEN_FILE SITE MEMBERS\n", stderr);
        return 2;
    }
    const auto done = drive(arguments);
    if (!done) std::fprintf(stderr, "%s\n", done.error().message.c_str());
    return done ? 0 : 1;
}
