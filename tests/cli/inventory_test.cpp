// Goal: an inventory goes from the first file to the coordinator with the program alone.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <thread>

#include "protocol/envelope.hpp"
#include "protocol/manifest.hpp"
#include "tests/cli/person.hpp"

using namespace clarity;
using namespace clarity::test;

namespace {

void append(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::app | std::ios::binary) << text;
}

/// An origin that serves one file over plain HTTP, ranges too, as a web server does.
class Origin {
  public:
    explicit Origin(std::string body) : body_(std::move(body)) {
        auto server =
            http::Server::start(loop_, {}, [this](http::Request request, http::Reply reply) {
                http::Response response;
                response.content_type = "application/octet-stream";
                response.headers["ETag"] = "\"one\"";
                if (request.path != "/files/app.bin") response.status = 404;
                else if (request.method == "HEAD")
                    response.headers["Content-Length"] = std::to_string(body_.size());
                if (response.status == 200) response.body = body_;
                reply(std::move(response));
            });
        if (!server) throw std::runtime_error(server.error().message);
        server_ = *std::move(server);
        thread_ = std::thread([this] { loop_.run(); });
    }
    ~Origin() {
        loop_.stop();
        thread_.join();
    }
    [[nodiscard]] std::string url() const {
        return "http://127.0.0.1:" + std::to_string(server_->port()) + "/files";
    }

  private:
    std::string body_;
    boost::asio::io_context loop_;
    std::unique_ptr<http::Server> server_;
    std::thread thread_;
};

}  // namespace

TEST_CASE("init: writes an inventory that validates, and never over another", "[cli]") {
    const Person person;
    const auto folder = person.home.path() + "/inventory";
    const auto made = person.run({"init", folder});
    CAPTURE(made.err);
    REQUIRE(made.code == 0);
    CHECK(std::filesystem::exists(folder + "/repositories/config.yml"));
    const auto valid = person.run({"validate", folder, "-o", "json"});
    CAPTURE(valid.out);
    CHECK(valid.code == 0);
    const auto json = parse_json(valid.out).value();
    CHECK(json.at("valid") == true);
    CHECK(json.at("problems").empty());
    const auto again = person.run({"init", folder});
    CHECK(again.code == 1);
    CHECK(has(again.err, folder));
}

TEST_CASE("validate: every problem is a line with file and line, and ends with 1", "[cli]") {
    const Person person;
    const auto folder = person.home.path() + "/inventory";
    REQUIRE(person.run({"init", folder}).code == 0);
    append(folder + "/repositories/config.yml", "\n  : : : [\n");
    append(folder + "/artifacts/registry.yml", "\nnonsense: 1\n");
    const auto done = person.run({"validate", folder});
    CAPTURE(done.out, done.err);
    CHECK(done.code == 1);
    CHECK(has(done.out, "repositories/config.yml:"));
    CHECK(has(done.out, "artifacts/registry.yml:"));
    CHECK(has(done.err, "error"));
    const auto none = person.run({"validate", folder + "/not"});
    CHECK(none.code == 1);
    CHECK(has(none.err, "clarity init"));
    const TempFolder empty;
    const auto unlike = person.run({"validate", empty.path()});
    CAPTURE(unlike.out);
    CHECK(unlike.code == 1);
}

TEST_CASE("apply: binary text is refused in one clear line", "[cli]") {
    const Person person;
    const auto folder = person.home.path() + "/inventory";
    REQUIRE(person.run({"init", folder}).code == 0);
    std::filesystem::create_directories(folder + "/templates");
    append(folder + "/templates/logo.png", "\x89PNG\xff\xfe");
    const auto done = person.run({"apply", folder});
    CHECK(done.code == 1);
    CHECK(has(done.err, "logo.png"));
    CHECK(std::count(done.err.begin(), done.err.end(), '\n') == 1);
}

TEST_CASE("apply: a broken inventory is not sent, a good one is, with its digest back", "[cli]") {
    const Person person;
    FakeCoordinator fake;
    person.login(fake);
    fake.on("PUT /api/v1/inventory",
            Json{{"digest", "abc"}, {"warnings", Json::array()}, {"clients", 1}, {"servers", 2}});
    const auto folder = person.home.path() + "/inventory";
    REQUIRE(person.run({"init", folder}).code == 0);
    const auto done = person.run({"apply", folder});
    CAPTURE(done.err);
    CHECK(done.code == 0);
    CHECK(done.out == "abc\n");
    const auto sent = parse_json(fake.received("PUT /api/v1/inventory").at(0)).value();
    CHECK(sent.at("files").contains("repositories/config.yml"));
    CHECK_FALSE(sent.at("correlation_id").get<std::string>().empty());

    append(folder + "/repositories/config.yml", "\n  : : : [\n");
    const auto broken = person.run({"apply", folder});
    CHECK(broken.code == 1);
    CHECK(has(broken.err, "nothing was sent"));
    CHECK(fake.received("PUT /api/v1/inventory").size() == 1);

    // What only the coordinator can see comes back as lines too.
    const Person other;
    other.login(fake);
    REQUIRE(other.run({"init", other.home.path() + "/i"}).code == 0);
    fake.on("PUT /api/v1/inventory",
            Json{{"error", {{"code", "invalid"}, {"message", "1 problem"}}},
                 {"problems", Json::array({Json{{"file", "clients/a/servers.yml"},
                                                {"line", 14},
                                                {"message", "no such datacenter"}}})}},
            422);
    const auto refused = other.run({"apply", other.home.path() + "/i"});
    CHECK(refused.code == 1);
    CHECK(has(refused.err, "clients/a/servers.yml:14: no such datacenter"));
}

TEST_CASE("artifact add: without a file the bytes come from the inventory's repository", "[cli]") {
    const Person person;
    FakeCoordinator fake;
    person.login(fake);
    fake.on("PUT /api/v1/root", Json{{"digest", ""}, {"version", 1}});
    fake.on("POST /api/v1/manifests", Json{{"digest", "d"}}, 201);
    REQUIRE(person.run({"root", "init"}).code == 0);
    fake.on("GET /api/v1/root", parse_json(fake.received("PUT /api/v1/root").at(0)).value());
    const Origin origin(std::string(200'000, 'y'));
    const auto folder = person.home.path() + "/inventory";
    std::filesystem::create_directories(folder + "/repositories");
    append(folder + "/repositories/config.yml",
           "repository_config:\n  main:\n    type: http\n    base_url: " + origin.url() + "\n");
    const auto done = person.run({"artifact", "add", "app@1.0.0", "--type", "binary", "--dir",
                                  folder, "--repository", "main", "--path", "app.bin"});
    CAPTURE(done.err);
    REQUIRE(done.code == 0);
    const auto sent = parse_json(fake.received("POST /api/v1/manifests").at(0)).value();
    const auto envelope =
        Envelope::decode(from_base64(sent.at("envelope").get<std::string>()).value()).value();
    CHECK(Manifest::decode(envelope.payload).value().size_bytes == 200'000);

    const auto unknown = person.run({"artifact", "add", "app@1.0.1", "--type", "binary", "--dir",
                                     folder, "--repository", "mian", "--path", "app.bin"});
    CHECK(unknown.code == 1);
    CHECK(has(unknown.err, "main"));
    const auto gone = person.run({"artifact", "add", "app@1.0.1", "--type", "binary", "--dir",
                                  folder, "--repository", "main", "--path", "gone.bin"});
    CAPTURE(gone.err);
    CHECK(gone.code == 1);
    CHECK(has(gone.err, "gone.bin"));
}
