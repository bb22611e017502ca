// Goal: nothing a server does makes us believe a wrong byte, wait for ever or fetch for ever.
// Method: a small server that misbehaves to order.
#include "tests/storage/repositories/odd_server.hpp"

#include <catch2/catch.hpp>
#include <chrono>

#include "protocol/http/client.hpp"
#include "storage/repositories/http_reader.hpp"
#include "storage/repositories/repository.hpp"
#include "tests/storage/temp_dir.hpp"

using namespace clarity;
using namespace clarity::test;

namespace {

const std::string file = noise(200'000, 9);

std::string head(const std::string& status, std::size_t length, const std::string& more = "") {
    return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(length) + "\r\n" + more +
           "\r\n";
}

std::string range_head(std::size_t first, std::size_t last, const std::string& more = "") {
    return head("206 Partial Content", last - first + 1,
                "Content-Range: bytes " + std::to_string(first) + "-" + std::to_string(last) + "/" +
                    std::to_string(file.size()) + "\r\n" + more);
}

/// Answers the range asked for, but cuts after `part` bytes.
void send_part(const OddConnection& connection, std::size_t part, const std::string& more = "") {
    const long first = connection.range_first();
    const auto from = static_cast<std::size_t>(std::max(first, 0L));
    connection.send(first < 0 ? head("200 OK", file.size(), more)
                              : range_head(from, file.size() - 1, more));
    connection.send(std::string_view(file).substr(from, part));
}

struct Outcome {
    Result<ReadOutcome> result;
    std::string bytes;
};

Outcome read(const OddServer& server, ReadRequest request = {}) {
    auto origin = make_repository({"odd", "http", server.url(), {}});
    REQUIRE(origin);
    request.path = "file";
    if (!request.expected_size) request.expected_size = file.size();
    request.retry_delay_ms = 1;
    std::string bytes;
    auto result = (*origin)->read(request, [&](std::string_view part) {
        bytes += part;
        return true;
    });
    return {std::move(result), std::move(bytes)};
}

void check_refused(const Outcome& outcome, Errc code, const std::string& words) {
    REQUIRE_FALSE(outcome.result);
    CHECK(outcome.result.error().code == code);
    CHECK_THAT(outcome.result.error().message,
               Catch::StartsWith("repository odd: file: ") && Catch::Contains(words));
}

}  // namespace

TEST_CASE("odd server: a connection cut again and again is taken up where it broke") {
    const OddServer server([](const auto& c) { send_part(c, 30'000); });
    const auto outcome = read(server);
    REQUIRE(outcome.result);
    CHECK(outcome.bytes == file);
    CHECK(outcome.result->wan_bytes == file.size());
    CHECK(outcome.result->resumes == 6);
    CHECK(outcome.result->ranged);
}

TEST_CASE("odd server: one that cuts without giving a byte is given up after the retries") {
    const OddServer server([](const auto& c) { send_part(c, c.number == 0 ? 50'000 : 0); });
    const auto outcome = read(server, {.retries_max = 3});
    check_refused(outcome, Errc::network, "gave up at byte 50000 after 4 tries");
    CHECK(outcome.bytes == file.substr(0, 50'000));
    CHECK(server.requests() == 4);
}

TEST_CASE("odd server: a drip of bytes per connection does not keep us for ever") {
    const OddServer server([](const auto& c) { send_part(c, 1); });
    check_refused(read(server, {.retries_max = 4}), Errc::network, "gave up");
    CHECK(server.requests() == 5);
}

TEST_CASE("odd server: one that ignores ranges on resume is refused, not mixed in") {
    const OddServer server([](const auto& c) {
        c.send(head("200 OK", file.size()));
        c.send(std::string_view(file).substr(0, c.number == 0 ? 50'000 : file.size()));
    });
    const auto refused = read(server);
    check_refused(refused, Errc::unavailable, "ignores ranges: cannot go on from byte 50000");
    CHECK(refused.bytes == file.substr(0, 50'000));
}

TEST_CASE("odd server: where throwing away is allowed, ignored ranges still give the right bytes") {
    const OddServer server([](const auto& c) {
        c.send(head("200 OK", file.size()));
        c.send(std::string_view(file).substr(0, c.number == 0 ? 50'000 : file.size()));
    });
    const auto outcome = read(server, {.skip_max_bytes = 1 << 20});
    REQUIRE(outcome.result);
    CHECK(outcome.bytes == file);
    CHECK(outcome.result->wan_bytes == file.size() + 50'000);
}

TEST_CASE("odd server: an error page with status 200 is not taken for a range or for the file") {
    const std::string page = "<html>Sorry</html>";
    const OddServer server([&](const auto& c) {
        if (c.number == 0) return send_part(c, 50'000);
        c.send(head("200 OK", page.size(), "Content-Type: text/html\r\n") + page);
    });
    const auto outcome = read(server);
    check_refused(outcome, Errc::conflict,
                  "it has 18 bytes where the manifest says 200000 (it sent a web page");
    CHECK(outcome.bytes == file.substr(0, 50'000));
}

TEST_CASE("odd server: a repository's own headers stay with its host when it redirects elsewhere") {
    std::string told;
    const OddServer elsewhere([&](const auto& c) {
        told = c.request;
        c.send(head("200 OK", file.size()) + file);
    });
    const OddServer server([&](const auto& c) {
        c.send(c.request.find("GET /moved") == std::string::npos
                   ? head("302 Found", 0, "Location: /moved\r\n")
                   : head("302 Found", 0, "Location: " + elsewhere.url() + "/file\r\n"));
    });
    HttpRequest request;
    request.url = server.url() + "/file";
    request.headers = {{"X-Api-Key", "hush"}, {"Authorization", "Bearer hush"}};
    const auto answer = http_request(request);
    REQUIRE(answer);
    CHECK(answer->body == file);
    CHECK(server.requests() == 2);
    CHECK(told.find("hush") == std::string::npos);
    request.redirects_max = 1;
    CHECK(http_request(request)->status == 302);
}

TEST_CASE("odd server: a file replaced between two parts is a conflict") {
    const OddServer server([](const auto& c) {
        send_part(c, 50'000, c.number == 0 ? "ETag: \"v1\"\r\n" : "ETag: \"v2\"\r\n");
    });
    const auto outcome = read(server);
    check_refused(outcome, Errc::conflict, "replaced while it was being fetched");
    CHECK(outcome.bytes == file.substr(0, 50'000));
}

TEST_CASE("odd server: lies about length are errors or resumes, never wrong bytes") {
    SECTION("says the right length, sends less: taken up") {
        const OddServer server([](const auto& c) { send_part(c, c.number == 0 ? 1000 : 999999); });
        const auto outcome = read(server);
        REQUIRE(outcome.result);
        CHECK(outcome.bytes == file);
    }
    SECTION("tells no length and sends more") {
        const OddServer server([](const auto& c) {
            c.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + file + "more");
        });
        const auto outcome = read(server);
        check_refused(outcome, Errc::conflict, "sends more than the 200000 bytes");
        CHECK(outcome.bytes.size() <= file.size());
    }
    SECTION("tells no length and sends less, for ever") {
        const OddServer server([](const auto& c) {
            c.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + file.substr(0, 10));
        });
        const auto outcome = read(server);
        check_refused(outcome, Errc::unavailable, "ignores ranges");
        CHECK(outcome.bytes == file.substr(0, 10));
    }
    SECTION("another range than asked for") {
        const OddServer server([](const auto& c) {
            if (c.number == 0) return send_part(c, 50'000);
            c.send(range_head(0, file.size() - 1) + file);
        });
        check_refused(read(server), Errc::invalid, "asked from byte 50000, the server sends");
    }
    SECTION("a range without saying which") {
        const OddServer server([](const auto& c) {
            if (c.number == 0) return send_part(c, 50'000);
            c.send(head("206 Partial Content", 150'000));
        });
        check_refused(read(server), Errc::invalid, "unusable Content-Range");
    }
    SECTION("a Content-Length that does not fit the range") {
        const OddServer server([](const auto& c) {
            c.send(head("206 Partial Content", 99, "Content-Range: bytes 0-199999/200000\r\n"));
        });
        check_refused(read(server), Errc::invalid, "does not fit");
    }
}

TEST_CASE("odd server: one that stalls is cut and tried again, then a timeout") {
    const OddServer server([](const auto& c) {
        send_part(c, 20'000);
        c.stall();
    });
    const auto start = std::chrono::steady_clock::now();
    const auto outcome = read(server, {.retries_max = 0, .stall_s = 1});
    check_refused(outcome, Errc::timeout, "gave up at byte 20000");
    CHECK(outcome.bytes == file.substr(0, 20'000));
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(6));
}

TEST_CASE("odd server: one that is busy is asked again, one that refuses is not") {
    SECTION("503, then the file") {
        const OddServer server([](const auto& c) {
            if (c.number < 2) return c.send(head("503 Service Unavailable", 0));
            send_part(c, file.size());
        });
        const auto outcome = read(server);
        REQUIRE(outcome.result);
        CHECK(outcome.bytes == file);
        CHECK(server.requests() == 3);
    }
    SECTION("403") {
        const OddServer server([](const auto& c) { c.send(head("403 Forbidden", 0)); });
        check_refused(read(server), Errc::denied, "credentials");
        CHECK(server.requests() == 1);
    }
    SECTION("compressed though not asked") {
        const OddServer server([](const auto& c) {
            c.send(head("200 OK", file.size(), "Content-Encoding: gzip\r\n") + file);
        });
        check_refused(read(server), Errc::invalid, "gzip");
    }
}

TEST_CASE("odd server: what is not HTTP, or headers without end, is an error and not a hang") {
    const OddServer garbage([](const auto& c) { c.send("\x16\x03\x01 hello\r\n\r\n"); });
    CHECK_FALSE(read(garbage, {.retries_max = 1}).result);
    const OddServer endless([](const auto& c) {
        c.send("HTTP/1.1 200 OK\r\n");
        for (int i = 0; i < 5000; ++i) c.send("X-Header-" + std::to_string(i) + ": 0123456789\r\n");
        c.send("\r\n");
    });
    check_refused(read(endless), Errc::invalid, "headers are over");
}

TEST_CASE("odd server: a port where nobody listens is a network error that names the address") {
    int port = 0;
    ::close(bind_loopback(port));
    const std::string url = "http://user:secret@127.0.0.1:" + std::to_string(port);
    auto origin = make_repository({"gone", "http", url, {}});
    REQUIRE(origin);
    const auto got = (*origin)->read({.path = "f", .retries_max = 0}, [](auto) { return true; });
    REQUIRE_FALSE(got);
    CHECK(got.error().code == Errc::network);
    CHECK_THAT(got.error().message, Catch::Contains("127.0.0.1:" + std::to_string(port)));
    CHECK_THAT(got.error().message, !Catch::Contains("secret"));
}

TEST_CASE("repositories: a kind that is not built yet and a broken address say so") {
    const auto ftp = make_repository({"r", "ftp", "ftp://x", {}});
    REQUIRE_FALSE(ftp);
    CHECK(ftp.error().code == Errc::unavailable);
    CHECK_THAT(ftp.error().message, Catch::Contains("type ftp"));
    CHECK(make_repository({"r", "http", "file:///etc", {}}).error().code == Errc::invalid);
}

TEST_CASE("content range: only what RFC 9110 allows is understood") {
    using repository_detail::parse_content_range;
    const auto range = parse_content_range("bytes 10-19/100");
    REQUIRE(range);
    CHECK(range->first == 10);
    CHECK(range->last == 19);
    CHECK(range->total == 100U);
    CHECK(parse_content_range("bytes 0-0/*")->total == std::nullopt);
    for (const auto* bad : {"", "bytes", "bytes */100", "bytes 9-8/100", "bytes 0-100/100",
                            "bytes -1-5/9", "bytes 0-5/", "items 0-5/9", "bytes 0-5/x",
                            "bytes 0-99999999999999999999/100000000000000000000"}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_content_range(bad));
    }
}
