#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "protocol/http/server.hpp"
#include "protocol/json.hpp"
#include "protocol/keys.hpp"

namespace clarity::test {

/// A coordinator's REST API over real TLS whose answers a test writes: what the real one cannot be
/// made to say at will (a failing deployment, a server out of reach, an old root).
class FakeCoordinator {
  public:
    static constexpr const char* token = "test-token";

    explicit FakeCoordinator(std::uint16_t port = 0);
    ~FakeCoordinator();

    struct Answer {
        int status = 200;
        Json body;
    };
    using Responder = std::function<Answer(const http::Request&)>;

    /// "GET /api/v1/sites". Unknown routes answer 404; all but info need the token.
    void on(const std::string& route, Responder responder);
    void on(const std::string& route, Json body, int status = 200);
    [[nodiscard]] std::string url() const;
    [[nodiscard]] const std::string& ca_pem() const { return ca_pem_; }
    [[nodiscard]] std::string fingerprint() const;
    [[nodiscard]] const SigningKey& key() const { return key_; }
    /// Bodies sent to a route so far.
    [[nodiscard]] std::vector<std::string> received(const std::string& route) const;

  private:
    [[nodiscard]] http::Response answer(const http::Request& request);

    SigningKey key_ = SigningKey::generate();
    std::string ca_pem_;
    mutable std::mutex mutex_;
    std::map<std::string, Responder> routes_;
    std::map<std::string, std::vector<std::string>> received_;
    boost::asio::io_context loop_;
    std::unique_ptr<http::Server> server_;
    std::thread thread_;
};

}  // namespace clarity::test
