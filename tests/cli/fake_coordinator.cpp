#include "tests/cli/fake_coordinator.hpp"

#include <boost/asio/post.hpp>
#include <ctime>
#include <stdexcept>

#include "protocol/x509.hpp"

namespace clarity::test {
namespace {

template <class T>
T must(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().message);
    return *std::move(result);
}

}  // namespace

FakeCoordinator::FakeCoordinator(std::uint16_t port) {
    const auto now = std::time(nullptr);
    ca_pem_ = must(x509::make_ca(key_, "Test CA", now));
    const auto server_key = SigningKey::generate();
    http::ServerSettings settings;
    settings.listen = "127.0.0.1:" + std::to_string(port);
    settings.certificate_pem =
        must(x509::issue_server({key_, ca_pem_}, server_key, {"127.0.0.1", "localhost"}, now)) +
        ca_pem_;
    settings.key_pem = must(x509::private_key_pem(server_key));
    server_ =
        must(http::Server::start(loop_, settings, [this](http::Request request, http::Reply reply) {
            reply(answer(request));
        }));
    on("GET /api/v1/info", Json{{"version", "test"},
                                {"coordinator_key", key_.public_key().hex()},
                                {"ca_pem", ca_pem_},
                                {"root_version", 0},
                                {"root_digest", ""}});
    on("POST /api/v1/observers", Json::object());
    on("GET /api/v1/sites", Json::array({Json{{"site", "acme/dc-1"}}}));
    thread_ = std::thread([this] { loop_.run(); });
}

FakeCoordinator::~FakeCoordinator() {
    boost::asio::post(loop_, [this] {
        server_.reset();
        loop_.stop();
    });
    thread_.join();
}

void FakeCoordinator::on(const std::string& route, Responder responder) {
    const std::lock_guard lock(mutex_);
    routes_[route] = std::move(responder);
}

void FakeCoordinator::on(const std::string& route, Json body, int status) {
    on(route, [body, status](const http::Request&) { return Answer{status, body}; });
}

std::string FakeCoordinator::url() const {
    return "https://127.0.0.1:" + std::to_string(server_->port());
}

std::string FakeCoordinator::fingerprint() const {
    return must(x509::fingerprint_sha256(ca_pem_)).hex();
}

std::vector<std::string> FakeCoordinator::received(const std::string& route) const {
    const std::lock_guard lock(mutex_);
    const auto at = received_.find(route);
    return at == received_.end() ? std::vector<std::string>{} : at->second;
}

http::Response FakeCoordinator::answer(const http::Request& request) {
    const std::lock_guard lock(mutex_);
    const auto route = request.method + " " + request.path;
    received_[route].push_back(request.body);
    http::Response response;
    const auto refuse = [&](int status, const char* code, const char* message) {
        response.status = status;
        response.body = to_text(Json{{"error", {{"code", code}, {"message", message}}}});
        return response;
    };
    if (request.path != "/api/v1/info" && request.bearer_token() != token) {
        return refuse(401, "denied", "the bearer token is not valid");
    }
    const auto at = routes_.find(route);
    if (at == routes_.end()) return refuse(404, "not_found", "there is nothing here");
    const auto answer = at->second(request);
    response.status = answer.status;
    response.body = to_text(answer.body);
    return response;
}

}  // namespace clarity::test
