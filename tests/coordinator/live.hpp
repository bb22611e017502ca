#pragma once

#include <chrono>
#include <mutex>
#include <thread>

#include "coordinator/coordinator.hpp"
#include "protocol/control.hpp"
#include "protocol/http/client.hpp"
#include "protocol/json.hpp"
#include "protocol/roster.hpp"
#include "protocol/view_table.hpp"
#include "protocol/wire/wire.hpp"
#include "protocol/x509.hpp"
#include "tests/coordinator/support.hpp"

namespace clarity::test {

inline std::int64_t wall_s() {
    return std::chrono::duration_cast<std::chrono::seconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

/// Waits for a condition, at most `limit_s`.
template <class Condition>
bool eventually(Condition condition, int limit_s = 15) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(limit_s);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > end) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
}

/// A real coordinator on loopback, on ports of its own, with a thread of its own.
class LiveCoordinator {
  public:
    explicit LiveCoordinator(const std::string& state_dir) {
        config_.state_dir = state_dir;
        config_.rest_listen = "127.0.0.1:0";
        config_.control_listen = "127.0.0.1:0";
        auto started = coordinator::Coordinator::start(loop_, config_);
        if (!started) FAIL(started.error().message);
        coordinator_ = std::move(*started);
        thread_ = std::thread([this] { loop_.run(); });
        token = read_file(state_dir + "/admin.token", 1000).value();
        token.pop_back();
        ca_pem = read_file(state_dir + "/ca.pem", 100'000).value();
    }
    ~LiveCoordinator() {
        loop_.stop();
        thread_.join();
        coordinator_.reset();
    }
    LiveCoordinator(const LiveCoordinator&) = delete;
    LiveCoordinator& operator=(const LiveCoordinator&) = delete;

    struct Answer {
        int status = 0;
        Json body;
        std::string text;
        [[nodiscard]] std::string error_code() const {
            return body.contains("error") ? body["error"]["code"].get<std::string>() : "";
        }
        [[nodiscard]] std::string message() const {
            return body.contains("error") ? body["error"]["message"].get<std::string>() : text;
        }
    };
    Answer call(const std::string& method, const std::string& path, const Json& body = {},
                const std::string& bearer = "admin") const {
        HttpRequest request;
        request.method = method;
        request.url = coordinator_->rest_url() + path;
        request.ca_pem = ca_pem;
        if (!bearer.empty()) {
            request.headers.emplace_back("Authorization",
                                         "Bearer " + (bearer == "admin" ? token : bearer));
        }
        if (!body.is_null()) request.body = to_text(body);
        const auto response = http_request(request);
        if (!response) FAIL(method + " " + path + ": " + response.error().message);
        Answer out{response->status, {}, response->body};
        if (auto json = parse_json(response->body)) out.body = std::move(*json);
        return out;
    }
    const coordinator::Config& config() const { return config_; }
    const coordinator::Coordinator& get() const { return *coordinator_; }

    std::string token;
    std::string ca_pem;

  private:
    coordinator::Config config_;
    boost::asio::io_context loop_;
    std::unique_ptr<coordinator::Coordinator> coordinator_;
    std::thread thread_;
};

/// Two servers, one artifact of two versions with a configuration and a secret.
inline Json inventory_files(const std::string& version) {
    return Json{
        {"clients/acme/metadata.yml",
         "client:\n  id: 11111111-1111-4111-8111-111111111111\n  name: Acme\n  code: acme\n"},
        {"clients/acme/datacenters.yml",
         "datacenters:\n  - id: 22222222-2222-4222-8222-222222222222\n    name: One\n"
         "    code: dc-1\n    type: edge\n"},
        {"clients/acme/servers.yml",
         "servers:\n"
         "  - id: 33333333-3333-4333-8333-333333333331\n    datacenter_id: dc-1\n"
         "    hostname: edge-1\n    ip_addresses: {management: 127.0.0.1}\n"
         "  - id: 33333333-3333-4333-8333-333333333332\n    datacenter_id: dc-1\n"
         "    hostname: edge-2\n    ip_addresses: {management: 127.0.0.2}\n"},
        {"artifacts/registry.yml",
         "artifacts:\n  - id: web\n    name: Web\n    type: binary\n    version: 1.0.0\n"
         "    repository: main\n"},
        {"artifacts/versions.yml",
         "versions:\n  - artifact_id: web\n    version: 1.0.0\n    repository: main\n"
         "    path: web/1.0.0\n  - artifact_id: web\n    version: 1.1.0\n    repository: main\n"
         "    path: web/1.1.0\n"},
        {"repositories/config.yml",
         "repository_config:\n  main:\n    type: http\n    base_url: http://127.0.0.1:1/files\n"},
        {"profiles/prod/web.yml",
         "deployment_profile:\n  environment: prod\n  artifacts:\n    - artifact_id: web\n"
         "      version: " +
             version +
             "\n      configuration:\n        env_vars:\n"
             "          PASSWORD: ${SECRET:web.password}\n"}};
}

/// A server that has enrolled, and its control connection.
class LiveNode {
  public:
    explicit LiveNode(std::string hostname) : hostname_(std::move(hostname)) {}

    Json enrol_body() const {
        return Json{{"server", hostname_},
                    {"csr_pem", x509::make_csr(key, hostname_).value()},
                    {"public_key", key.public_key().hex()},
                    {"mesh_endpoint", "tcp://127.0.0.1:8472"},
                    {"swarm_endpoint", "127.0.0.1:8473"}};
    }
    LiveCoordinator::Answer enrol(const LiveCoordinator& at, const std::string& join_token) {
        auto out = at.call("POST", "/api/v1/enrol", enrol_body(), join_token);
        if (out.status == 200) {
            server_id = out.body["server_id"];
            site = out.body["site"];
        }
        return out;
    }
    /// Talks to the control service from now on.
    void connect(const LiveCoordinator& at) {
        const auto info = at.call("GET", "/api/v1/info").body;
        wire::Settings settings;
        settings.secret = key.curve_secret();
        settings.post = [](const std::function<void()>& f) { f(); };
        wire_ = wire::Wire::start(std::move(settings)).value();
        wire::ConnectSettings to;
        to.peer = "coordinator";
        to.endpoint = info["control_endpoint"];
        to.server_key = CurveKey::from_hex(info["control_curve_key"].get<std::string>()).value();
        to.on_frame = [this](const Bytes& frame) {
            auto message = control::decode(frame);
            const std::lock_guard lock(mutex_);
            if (message) messages_.push_back(std::move(*message));
        };
        wire_->connect(std::move(to));
        send(control::Hello{site, server_id, 0, 0, 0, "test"});
    }
    void send(const control::Message& message) {
        wire_->send("coordinator", control::encode(message));
    }
    /// The newest message of a kind, if one has come.
    template <class T>
    std::optional<T> last() {
        const std::lock_guard lock(mutex_);
        for (auto at = messages_.rbegin(); at != messages_.rend(); ++at) {
            if (const auto* found = std::get_if<T>(&*at)) return *found;
        }
        return std::nullopt;
    }
    std::optional<control::Ad> offered(const std::string& kind) {
        const auto offer = last<control::Offer>();
        if (!offer) return std::nullopt;
        for (const auto& ad : offer->ads) {
            if (ad.kind == kind) return ad;
        }
        return std::nullopt;
    }
    /// A document of the coordinator, whole.
    std::optional<Bytes> fetch(const control::Ad& ad) {
        {
            const std::lock_guard lock(mutex_);
            messages_.clear();
        }
        send(control::Fetch{ad.digest, 0, 0});
        control::Assembler assembler(ad.digest);
        std::optional<Bytes> whole;
        std::size_t used = 0;
        (void)eventually(
            [&] {
                const std::lock_guard lock(mutex_);
                for (; used < messages_.size() && !whole; ++used) {
                    if (const auto* body = std::get_if<control::Body>(&messages_[used])) {
                        auto added = assembler.add(*body);
                        if (added && *added) whole = std::move(**added);
                    }
                }
                return whole.has_value();
            },
            5);
        return whole;
    }
    Bytes record(std::uint64_t seq, std::uint64_t plan_seq, bool settled) const {
        Record out;
        out.site = site;
        out.server_id = server_id;
        out.version = {1, seq};
        out.plan_seq = plan_seq;
        out.plan_settled = settled;
        out.agent_version = "test";
        auto envelope = Envelope::make(payload_type::record, out.encode());
        envelope.sign(key);
        return envelope.encode();
    }
    /// A report of this server alone, alive, with its record of that version.
    control::Report report_of(std::uint64_t seq, Bytes envelope) {
        control::ViewTable table;
        table.set(server_id, "alive", {1, seq});
        control::Report out;
        out.seq = ++reports_;
        out.is_primary = true;
        out.digest = table.digest();
        out.fresh_ms = 0;
        out.changes = {{server_id, "alive", 0, server_id, {1, seq}, std::move(envelope)}};
        return out;
    }
    void disconnect() { wire_.reset(); }

    SigningKey key = SigningKey::generate();
    std::string server_id;
    std::string site;

  private:
    std::string hostname_;
    std::uint64_t reports_ = 0;
    std::mutex mutex_;
    std::vector<control::Message> messages_;
    std::unique_ptr<wire::Wire> wire_;
};

/// Brings a coordinator to where plans can be made: root, inventory, secret, manifests.
inline void prepare(const LiveCoordinator& at, const Operator& op) {
    const auto info = at.call("GET", "/api/v1/info", {}, "").body;
    const auto key = PublicKey::from_hex(info["coordinator_key"].get<std::string>()).value();
    const auto root = op.sign_root(op.root(key));
    auto answer = at.call("PUT", "/api/v1/root", Json{{"envelope", to_base64(root.encode())}});
    if (answer.status != 200) FAIL(answer.message());
    answer = at.call("PUT", "/api/v1/inventory", Json{{"files", inventory_files("1.0.0")}});
    if (answer.status != 200) FAIL(answer.text);
    answer = at.call("PUT", "/api/v1/secrets/acme/web.password", Json{{"value", "s3cret-value"}});
    if (answer.status != 200) FAIL(answer.message());
    for (const auto* version : {"1.0.0", "1.1.0"}) {
        const auto manifest = op.sign_manifest(
            op.manifest("web", version, ArtifactType::binary, std::string("web ") + version));
        answer =
            at.call("POST", "/api/v1/manifests", Json{{"envelope", to_base64(manifest.encode())}});
        if (answer.status != 200) FAIL(answer.message());
    }
}

inline std::string join_token(const LiveCoordinator& at, const std::string& server = "") {
    const auto answer =
        at.call("POST", "/api/v1/tokens", Json{{"site", "acme/dc-1"}, {"server", server}});
    if (answer.status != 201) FAIL(answer.message());
    return answer.body["token"];
}

}  // namespace clarity::test
