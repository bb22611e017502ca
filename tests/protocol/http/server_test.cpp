#include "protocol/http/server.hpp"

#include <catch2/catch.hpp>
#include <thread>

#include "protocol/http/client.hpp"
#include "protocol/keys.hpp"
#include "protocol/x509.hpp"

using namespace clarity;

namespace {

std::int64_t wall_now() {
    return std::chrono::duration_cast<std::chrono::seconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

/// A server that runs on its own thread until the test ends.
struct Running {
    boost::asio::io_context loop;
    std::unique_ptr<http::Server> server;
    std::thread thread;

    Running(const http::ServerSettings& settings, http::Handler handler) {
        auto started = http::Server::start(loop, settings, std::move(handler));
        REQUIRE(started);
        server = std::move(*started);
        thread = std::thread([this] { loop.run(); });
    }
    ~Running() {
        loop.stop();
        thread.join();
        server.reset();
    }
};

http::Handler echo() {
    return [](const http::Request& request, const http::Reply& reply) {
        http::Response out;
        out.status = 201;
        out.body = request.method + " " + request.path +
                   " q=" + (request.query.contains("q") ? request.query.at("q") : "") + " " +
                   std::string(request.bearer_token()) + " " + request.body;
        reply(out);
    };
}

struct Tls {
    SigningKey ca_key = SigningKey::generate();
    SigningKey key = SigningKey::generate();
    std::string ca = x509::make_ca(ca_key, "test", wall_now()).value();
    std::string leaf =
        x509::issue_server({ca_key, ca}, key, {"127.0.0.1", "localhost"}, wall_now()).value();

    http::ServerSettings settings() const {
        http::ServerSettings out;
        out.certificate_pem = leaf + ca;
        out.key_pem = x509::private_key_pem(key).value();
        return out;
    }
};

}  // namespace

TEST_CASE("http server: answers with method, path, query, token and body") {
    init_crypto();
    Running running({}, echo());
    HttpRequest request;
    request.method = "PUT";
    request.url = fmt::format("http://127.0.0.1:{}/a%20b?q=1%2B1&x", running.server->port());
    request.headers = {{"Authorization", "Bearer tok"}};
    request.body = "body";
    const auto answer = http_request(request);
    REQUIRE(answer);
    CHECK(answer->status == 201);
    CHECK(answer->body == "PUT /a b q=1+1 tok body");
}

TEST_CASE("http server: TLS is verified by our CA, and by its fingerprint at first contact") {
    init_crypto();
    const Tls tls;
    Running running(tls.settings(), echo());
    HttpRequest request;
    request.url = fmt::format("https://127.0.0.1:{}/x", running.server->port());
    request.ca_pem = tls.ca;
    auto answer = http_request(request);
    REQUIRE(answer);
    CHECK(answer->status == 201);

    request.ca_pem = x509::make_ca(SigningKey::generate(), "stranger", wall_now()).value();
    answer = http_request(request);
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == Errc::denied);

    request.ca_pem.clear();
    request.insecure_pin_sha256 = x509::fingerprint_sha256(tls.ca).value();
    CHECK(http_request(request));
    request.insecure_pin_sha256 = Digest{};
    CHECK_FALSE(http_request(request));
}

TEST_CASE("http server: a body over the cap is answered with 413, and the server goes on") {
    init_crypto();
    http::ServerSettings settings;
    settings.body_max_bytes = 1000;
    Running running(settings, echo());
    HttpRequest request;
    request.method = "POST";
    request.url = fmt::format("http://127.0.0.1:{}/", running.server->port());
    for (const std::size_t size : {1001U, 2000U, 300'000U, 5'000'000U, 100'000'000U}) {
        CAPTURE(size);
        request.body = Bytes(size, 'x');
        const auto refused = http_request(request);
        REQUIRE(refused);
        CHECK(refused->status == 413);
    }
    request.body = Bytes(1000, 'x');
    const auto taken = http_request(request);
    REQUIRE(taken);
    CHECK(taken->status == 201);
    CHECK(taken->body.size() > 1000);
}

TEST_CASE("http server: how much of a body is kept depends on the headers") {
    init_crypto();
    http::ServerSettings settings;
    settings.body_max_bytes = 1U << 20;
    settings.body_limit = [](const http::Request& head) -> std::uint64_t {
        return head.bearer_token() == "known" && head.method == "PUT" && head.path == "/up"
                   ? 1U << 30
                   : 100;
    };
    Running running(settings, [](const http::Request& request, const http::Reply& reply) {
        http::Response out;
        out.body = fmt::format("{} {} {}", request.body.size(), request.body_dropped,
                               request.headers.contains(":body-limit"));
        reply(out);
    });
    HttpRequest request;
    request.method = "PUT";
    request.url = fmt::format("http://127.0.0.1:{}/up", running.server->port());
    request.body = Bytes(50'000, 'x');
    const auto said = [&] {
        const auto answer = http_request(request);
        REQUIRE(answer);
        return answer->body;
    };
    CHECK(said() == "0 true false");
    request.headers = {{"Authorization", "Bearer known"}};
    CHECK(said() == "50000 false false");
    request.body = Bytes((1U << 20) + 1, 'x');  // the server's own cap holds for everybody
    CHECK(said() == "0 true false");
    request.headers.emplace_back("Transfer-Encoding", "chunked");
    request.body = Bytes(50'000, 'x');
    CHECK(said() == "50000 false false");
    request.headers = {{"Transfer-Encoding", "chunked"}};
    CHECK(said() == "0 true false");
    request.body = "x";
    CHECK(said() == "1 false false");
}

TEST_CASE("http server: a request that is given up is answered with 500") {
    init_crypto();
    Running running({}, [](const http::Request&, const http::Reply&) {});
    HttpRequest request;
    request.url = fmt::format("http://127.0.0.1:{}/", running.server->port());
    const auto answer = http_request(request);
    REQUIRE(answer);
    CHECK(answer->status == 500);
}

TEST_CASE("http server: a port in use names the address and the setting") {
    init_crypto();
    Running first({}, echo());
    http::ServerSettings settings;
    settings.listen = fmt::format("127.0.0.1:{}", first.server->port());
    settings.setting = "rest.listen";
    boost::asio::io_context loop;
    const auto second = http::Server::start(loop, settings, echo());
    REQUIRE_FALSE(second);
    CHECK(second.error().message.find("rest.listen") != std::string::npos);
    CHECK(second.error().message.find(settings.listen) != std::string::npos);
    CHECK(second.error().message.find("in use") != std::string::npos);

    settings.listen = "nonsense";
    CHECK_FALSE(http::Server::start(loop, settings, echo()));
}
