// Goal: the program and the real coordinator understand each other, from the first login on.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <thread>

#include "tests/cli/person.hpp"

using namespace clarity;
using namespace clarity::test;

namespace {

/// A coordinator of its own on free ports, stopped at the end.
class Coordinator {
  public:
    Coordinator() {
        const auto config = folder_.write("c.yml", "state_dir: " + folder_.path() + "/state\n"
                                                   "rest: {listen: \"127.0.0.1:0\"}\n"
                                                   "control: {listen: \"127.0.0.1:0\"}\n");
        const auto log = folder_.path() + "/log";
        child_ = ::fork();
        if (child_ == 0) {
            if (::freopen(log.c_str(), "w", stderr) == nullptr) ::_exit(126);
            ::execl(CLARITY_COORDINATOR, CLARITY_COORDINATOR, "--config", config.c_str(), nullptr);
            ::_exit(127);
        }
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        constexpr std::string_view marker = "REST API at ";
        while (url_.empty() && std::chrono::steady_clock::now() < deadline) {
            std::stringstream text;
            text << std::ifstream(log).rdbuf();
            const auto all = text.str();
            const auto at = all.find(marker);
            const auto end = at == std::string::npos ? at : all.find(',', at);
            if (end != std::string::npos) {
                url_ = all.substr(at + marker.size(), end - at - marker.size());
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(20));  // between two looks
        }
    }
    ~Coordinator() {
        ::kill(child_, SIGTERM);
        ::waitpid(child_, nullptr, 0);
    }
    [[nodiscard]] const std::string& url() const { return url_; }
    [[nodiscard]] std::string token_file() const { return folder_.path() + "/state/admin.token"; }

  private:
    TempFolder folder_;
    pid_t child_ = -1;
    std::string url_;
};

}  // namespace

TEST_CASE("real coordinator: login, root, inventory, artifact, token and secret", "[cli]") {
    const Coordinator coordinator;
    REQUIRE_FALSE(coordinator.url().empty());
    const Person person;
    const auto expect = [&](int code, std::vector<std::string> arguments) {
        const auto done = person.run(arguments);
        CAPTURE(arguments, done.out, done.err);
        CHECK(done.code == code);
        return done;
    };
    expect(0, {"login", coordinator.url(), "--token-file", coordinator.token_file(), "--yes"});
    CHECK(has(expect(1, {"root", "show"}).err, "clarity root init"));
    expect(0, {"root", "init"});
    expect(1, {"root", "init"});
    CHECK(has(expect(0, {"root", "show"}).out, "root version 1"));
    const auto folder = person.home.path() + "/inventory";
    expect(0, {"init", folder});
    expect(0, {"apply", folder});
    const auto sites = expect(0, {"token", "create", "-o", "json"});
    CHECK(parse_json(sites.out).value().contains("token"));
    CHECK(has(expect(0, {"token", "list"}).out, "open"));

    const auto file = person.home.write("app.bin", std::string(100'000, 'z'));
    const std::vector<std::string> add = {"artifact", "add", "app@1.0.0", file, "--type", "binary",
                                          "--repository", "origin", "--path", "app.bin"};
    const auto sum = expect(0, add).out;
    CHECK(has(expect(0, {"artifact", "list"}).out, "app"));
    CHECK(has(expect(0, {"artifact", "show", "app@1.0.0"}).out, sum.substr(0, 64)));
    const auto other = person.home.write("other.bin", std::string(100'000, 'o'));
    auto again = add;
    again[3] = other;
    CHECK(has(expect(1, again).err, "new version"));
    auto foreign = add;
    foreign[2] = "app@1.0.1";
    foreign.insert(foreign.end(),
                   {"--key", person.home.write("foreign.key",
                                               encode_key_file(SigningKey::generate(), ""))});
    expect(6, foreign);  // not the publisher's key

    expect(0, {"secret", "set", "greeting", "--value", "hello"});
    const auto secrets = expect(0, {"secret", "list"});
    CHECK(has(secrets.out, "greeting"));
    CHECK_FALSE(has(secrets.out, "hello"));
    expect(0, {"agents"});
    expect(0, {"deployments", "list"});
    CHECK(has(expect(1, {"publish", "-e", "prod", "--yes"}).err, "enrolled"));
    expect(1, {"deployments", "show", "none-such"});
}
