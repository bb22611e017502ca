// Goal: the repository and the HTTP client against a real server.
// Method: Debian's nginx on loopback, http and https, with certificates made on the spot.
#include <catch2/catch.hpp>

#include "protocol/sha256.hpp"
#include "storage/repositories/repository.hpp"
#include "tests/storage/repositories/nginx.hpp"

using namespace clarity;
using namespace clarity::test;

namespace {

/// One nginx for all cases of this file.
Nginx& nginx() {
    static Nginx server;
    return server;
}

std::unique_ptr<Repository> repository(const std::string& base_url,
                                       std::map<std::string, std::string> settings = {}) {
    auto made = make_repository({"origin", "http", base_url, std::move(settings)});
    REQUIRE(made);
    return std::move(*made);
}

struct Sunk {
    std::string bytes;
    ByteSink sink = [this](std::string_view part) {
        bytes += part;
        return true;
    };
};

Digest fingerprint(const std::string& pem) {
    std::string body = pem.substr(pem.find('\n') + 1);
    return sha256(from_base64(body.substr(0, body.find("-----"))).value());
}

}  // namespace

TEST_CASE("nginx: a file and its ranges are read as they are") {
    auto& server = nginx();
    if (!server.usable()) return;
    const auto bytes = noise(3'000'000, 1);
    REQUIRE(write_file_atomic(server.file("a b+c.bin"), bytes));
    const auto origin = repository(server.url() + "/");
    CHECK(origin->size("a b+c.bin").value() == bytes.size());
    {
        Sunk sunk;
        std::atomic<std::uint64_t> wan{0};
        const auto got = origin->read(
            {.path = "/a b+c.bin", .expected_size = bytes.size(), .wan_counter = &wan}, sunk.sink);
        REQUIRE(got);
        CHECK(sunk.bytes == bytes);
        CHECK(got->bytes == bytes.size());
        CHECK(got->wan_bytes == bytes.size());
        CHECK(wan == bytes.size());
        CHECK(got->ranged);
        CHECK(got->total_size == bytes.size());
        CHECK_FALSE(got->etag.empty());
    }
    Sunk part;
    const auto got = origin->read(
        {.path = "a b+c.bin", .offset = 1'000'001, .length_max = 77, .expected_size = bytes.size()},
        part.sink);
    REQUIRE(got);
    CHECK(part.bytes == bytes.substr(1'000'001, 77));
    CHECK(got->wan_bytes == 77);
    Sunk tail;
    REQUIRE(origin->read({.path = "a b+c.bin", .offset = 2'999'990}, tail.sink));
    CHECK(tail.bytes == bytes.substr(2'999'990));
}

TEST_CASE("nginx: another size or ETag than expected is a conflict, before any byte is handed on") {
    auto& server = nginx();
    if (!server.usable()) return;
    REQUIRE(write_file_atomic(server.file("sized"), "0123456789"));
    const auto origin = repository(server.url());
    Sunk sunk;
    const auto got = origin->read({.path = "sized", .expected_size = 11}, sunk.sink);
    REQUIRE_FALSE(got);
    CHECK(got.error().code == Errc::conflict);
    CHECK(got.error().message ==
          "repository origin: sized: it has 10 bytes where the manifest says 11");
    const auto other =
        origin->read({.path = "sized", .offset = 5, .expected_etag = "\"old\""}, sunk.sink);
    REQUIRE_FALSE(other);
    CHECK(other.error().code == Errc::conflict);
    const auto beyond = origin->read({.path = "sized", .offset = 50}, sunk.sink);
    REQUIRE_FALSE(beyond);
    CHECK(beyond.error().code == Errc::conflict);
    CHECK(sunk.bytes.empty());
}

TEST_CASE("nginx: missing files, wrong credentials and paths outside are told apart") {
    auto& server = nginx();
    if (!server.usable()) return;
    REQUIRE(write_file_atomic(server.file("x"), "contents"));
    Sunk sunk;
    const auto origin = repository(server.url());
    CHECK(origin->read({.path = "none"}, sunk.sink).error().code == Errc::not_found);
    CHECK(origin->size("none").error().code == Errc::not_found);
    CHECK(origin->read({.path = "../x"}, sunk.sink).error().code == Errc::invalid);
    CHECK(origin->read({.path = ""}, sunk.sink).error().code == Errc::invalid);
    const auto wrong = repository(server.url() + "/private", {{"token", "wrong"}});
    const auto refused = wrong->read({.path = "x"}, sunk.sink);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::denied);
    CHECK_THAT(refused.error().message, Catch::Contains("credentials"));
    CHECK(refused.error().message.find("wrong") == std::string::npos);
    CHECK(sunk.bytes.empty());
    const auto right = repository(server.url() + "/private", {{"token", "right"}});
    CHECK(right->read({.path = "x"}, sunk.sink));
    const auto basic =
        repository(server.url() + "/basic", {{"username", "user"}, {"password", "pass"}});
    CHECK(basic->read({.path = "x"}, sunk.sink));
    CHECK(sunk.bytes == "contentscontents");
}

TEST_CASE("nginx: a server without ranges is read from the start, and refused from the middle") {
    auto& server = nginx();
    if (!server.usable()) return;
    REQUIRE(write_file_atomic(server.file("y"), "0123456789"));
    const auto origin = repository(server.url() + "/noranges");
    Sunk whole;
    REQUIRE(origin->read({.path = "y", .expected_size = 10}, whole.sink));
    CHECK(whole.bytes == "0123456789");
    Sunk middle;
    const auto refused = origin->read({.path = "y", .offset = 4}, middle.sink);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::unavailable);
    CHECK_THAT(refused.error().message, Catch::Contains("ignores ranges"));
    const auto skipped = origin->read(
        {.path = "y", .offset = 4, .length_max = 3, .expected_size = 10, .skip_max_bytes = 100},
        middle.sink);
    REQUIRE(skipped);
    CHECK(middle.bytes == "456");
    CHECK(skipped->wan_bytes > skipped->bytes);
    CHECK_FALSE(skipped->ranged);
}

TEST_CASE("nginx: the rate limit holds") {
    auto& server = nginx();
    if (!server.usable()) return;
    REQUIRE(write_file_atomic(server.file("slow"), noise(600'000, 4)));
    const auto origin = repository(server.url());
    Sunk sunk;
    const auto start = std::chrono::steady_clock::now();
    REQUIRE(origin->read({.path = "slow", .rate_limit_bytes_s = 300'000}, sunk.sink));
    const auto took = std::chrono::steady_clock::now() - start;
    CHECK(sunk.bytes.size() == 600'000);
    CHECK(took > std::chrono::milliseconds(1200));
    CHECK(took < std::chrono::seconds(10));
}

TEST_CASE("nginx: a read that is asked to stop ends soon, and one whose sink says so at once") {
    auto& server = nginx();
    if (!server.usable()) return;
    REQUIRE(write_file_atomic(server.file("long"), noise(4'000'000, 4)));
    const auto origin = repository(server.url());
    std::stop_source stop;
    const auto start = std::chrono::steady_clock::now();
    const auto got =
        origin->read({.path = "long", .rate_limit_bytes_s = 100'000, .stop = stop.get_token()},
                     [&](std::string_view) {
                         stop.request_stop();
                         return true;
                     });
    REQUIRE_FALSE(got);
    CHECK(got.error().code == Errc::cancelled);
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
    int calls = 0;
    const auto ended = origin->read({.path = "long"}, [&](std::string_view) {
        ++calls;
        return false;
    });
    REQUIRE_FALSE(ended);
    CHECK(ended.error().code == Errc::cancelled);
    CHECK(calls == 1);
}

TEST_CASE("https: the server must be vouched for by the given CA and bear the name we called") {
    auto& server = nginx();
    if (!server.usable()) return;
    REQUIRE(write_file_atomic(server.file("t"), "tls"));
    Sunk sunk;
    CHECK(repository(server.secure_url(), {{"ca_pem", server.pem("ca.pem")}})
              ->read({.path = "t"}, sunk.sink));
    CHECK(sunk.bytes == "tls");
    const auto code = [&](const std::string& url, const std::string& ca) {
        const auto got = repository(url, {{"ca_pem", ca}})->read({.path = "t"}, sunk.sink);
        return got ? std::string("ok") : std::string(name_of(got.error().code));
    };
    CHECK(code(server.secure_url(), server.pem("stranger.pem")) == "denied");
    CHECK(code(server.secure_url(), "") == "denied");
    CHECK(code(server.secure_url("127.0.0.1"), server.pem("ca.pem")) == "denied");
    CHECK(sunk.bytes == "tls");
}

TEST_CASE("https: a pinned fingerprint accepts the chain that holds it and no other") {
    auto& server = nginx();
    if (!server.usable()) return;
    HttpRequest request;
    request.url = server.secure_url() + "/";
    request.insecure_any_server = true;
    const auto any = http_request(request);
    REQUIRE(any);
    REQUIRE(any->peer_chain_pem.size() == 2);
    request.insecure_any_server = false;
    CHECK(fingerprint(any->peer_chain_pem[1]) == fingerprint(server.pem("ca.pem")));
    request.insecure_pin_sha256 = fingerprint(server.pem("ca.pem"));
    CHECK(http_request(request));
    request.insecure_pin_sha256 = fingerprint(server.pem("server.pem"));
    CHECK(http_request(request));
    request.insecure_pin_sha256 = fingerprint(server.pem("stranger.pem"));
    const auto refused = http_request(request);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::denied);
    request.insecure_pin_sha256 = fingerprint(server.pem("ca.pem"));
    request.url = server.secure_url("127.0.0.1") + "/";  // the CA is right, the name is not
    CHECK(http_request(request).error().code == Errc::denied);
}

TEST_CASE("http: redirects are followed, but not in circles") {
    auto& server = nginx();
    if (!server.usable()) return;
    HttpRequest request;
    request.url = server.url() + "/moved/";
    CHECK(http_request(request)->status == 200);
    request.redirects_max = 0;
    CHECK(http_request(request)->status == 302);
    request.redirects_max = 5;
    request.url = server.url() + "/circle/";
    CHECK(http_request(request).error().code == Errc::invalid);
}
