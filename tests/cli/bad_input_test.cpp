// Goal: whatever is wrong with what people and machines give the programs, each says in one clear
// line what, where and what to do, ends with the right code, and leaves nothing half-written.
// Method: the real programs; another uid through setpriv, full disks as small tmpfs in a mount
// namespace of the one process. Those two need root and are left out without it.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "protocol/http/server.hpp"
#include "tests/cli/real.hpp"

using namespace clarity;
using namespace clarity::test;
namespace fs = std::filesystem;

namespace {

Finished run(const std::string& program, std::vector<std::string> arguments,
             int deadline_ms = 20'000) {
    Run how;
    how.arguments = std::move(arguments);
    how.deadline_ms = deadline_ms;
    return run_process(program, how);
}

/// The same as another user.
Finished run_as_nobody(const std::string& program, std::vector<std::string> arguments,
                       std::map<std::string, std::string> environment = {}) {
    Run how;
    how.arguments = {"--reuid=65534", "--regid=65534", "--clear-groups", program};
    how.arguments.insert(how.arguments.end(), arguments.begin(), arguments.end());
    how.environment = std::move(environment);
    return run_process("/usr/bin/setpriv", how);
}

/// A shell script in which `$1` is the program and /mnt a file system of that size.
Finished run_on_small_disk(const std::string& size, const std::string& program,
                           const std::string& script) {
    return run(
        "/usr/bin/unshare",
        {"-m", "/bin/sh", "-c",
         "mount -t tmpfs -o size=" + size + " none /mnt || exit 99; " + script, "sh", program});
}

std::size_t lines(const std::string& text) {
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

/// One line that names all of these, and the code.
void check_line(const Finished& done, int code, const std::vector<std::string>& parts) {
    CAPTURE(done.err, done.out);
    CHECK(done.code == code);
    CHECK(lines(done.err) == 1);
    CHECK(done.out.empty());
    for (const auto& part : parts) {
        CAPTURE(part);
        CHECK(has(done.err, part));
    }
}

bool is_root() {
    return ::geteuid() == 0;
}

}  // namespace

TEST_CASE("bad input: configuration files name file, line and what is expected", "[cli]") {
    const TempFolder dir;
    for (const auto* program : {CLARITY_COORDINATOR, CLARITY_AGENT}) {
        CAPTURE(program);
        const auto with = [&](const std::string& text) {
            return run(program, {"--config", dir.write("c.yml", text)});
        };
        const auto file = dir.path() + "/c.yml";
        check_line(with("state_dir: [1,\n"), 1, {file + ":", "YAML"});
        check_line(with("log: {json: maybe}\n"), 1, {file + ":1", "true or false", "maybe"});
        check_line(with("log: 7\n"), 1, {file + ":1", "log"});
        check_line(with("state_dir: [1]\n"), 1, {file + ":1", "state_dir"});
        check_line(run(program, {"--config", file + ".not"}), 1,
                   {file + ".not", "docs/operations.md"});
        check_line(run(program, {"--config", dir.path()}), 1, {dir.path(), "directory"});
    }
    // An unknown key is a warning with the name that was meant.
    const auto typo =
        run(CLARITY_COORDINATOR, {"--check", "--config", dir.write("t.yml", "statedir: /x\n")});
    CHECK(typo.code == 0);
    CHECK(has(typo.err, "t.yml:1"));
    CHECK(has(typo.err, "did you mean \"state_dir\""));
}

TEST_CASE("bad input: an inventory's mistakes are all told, a line each", "[cli]") {
    const Person person;
    const auto dir = person.home.path() + "/inventory";
    write_inventory(dir);
    CHECK(person.run({"validate", dir}).code == 0);
    (void)person.home.write("inventory/clients/acme/servers.yml",
                            "servers:\n  - id: x\n    datacenter_id: nowhere\n    hostnam: e\n");
    (void)person.home.write("inventory/profiles/prod/app.yml", "deployment_profile: [\n");
    const auto done = person.run({"validate", dir});
    CAPTURE(done.err, done.out);
    CHECK(done.code == 1);
    const auto all = done.err + done.out;
    CHECK(has(all, "servers.yml:"));
    CHECK(has(all, "app.yml:"));
    CHECK(has(all, "did you mean \"hostname\""));
    const auto none = person.run({"validate", dir + "-not"});
    CHECK(none.code == 1);
    CHECK(has(none.err, dir + "-not"));
}

TEST_CASE("bad input: a coordinator that is not there is 5, and an enrolment gives up", "[cli]") {
    const Person person;
    const auto url = "https://127.0.0.1:" + std::to_string(free_port());
    check_line(person.run({"login", url, "--token-file", "/dev/null", "--yes"}), 5,
               {url, "is the coordinator running"});
    CHECK_FALSE(fs::exists(person.home.path() + "/config/context.json"));
    Person logged_in;
    {
        const RealCoordinator coordinator;
        expect(logged_in, 0,
               {"login", coordinator.url(), "--token-file", coordinator.token_file(), "--yes"});
    }
    for (const auto* word : {"agents", "publish", "plan", "apply"}) {
        CAPTURE(word);
        std::vector<std::string> arguments{word};
        if (word == std::string("apply")) {
            write_inventory(logged_in.home.path() + "/inventory");
            arguments.push_back(logged_in.home.path() + "/inventory");
        }
        const auto done = logged_in.run(arguments);
        CAPTURE(done.err);
        CHECK(done.code == 5);
        CHECK(has(done.err, "is the coordinator running"));
    }
}

TEST_CASE("bad input: join tokens that are spent, expired or no tokens", "[cli]") {
    const RealCoordinator coordinator;
    const Person person;
    expect(person, 0, {"login", coordinator.url(), "--token-file", coordinator.token_file(), "-y"});
    expect(person, 0, {"root", "init"});
    write_inventory(person.home.path() + "/inventory");
    expect(person, 0, {"apply", person.home.path() + "/inventory"});
    const auto token = [&](const std::string& ttl) {
        const auto done =
            expect(person, 0, {"token", "create", "acme/dc-1", "--ttl", ttl, "-o", "json"});
        return parse_json(done.out).value().at("token").get<std::string>();
    };
    const auto enrol = [&](const std::string& text, const std::string& server) {
        const TempFolder dir;
        const auto config =
            dir.write("agent.yml", agent_config(dir.path(), coordinator.url(), server, text));
        auto done = run(CLARITY_AGENT, {"enrol", "--config", config});
        if (done.code != 0) CHECK_FALSE(fs::exists(dir.path() + "/state/identity/enrolment.json"));
        return done;
    };
    const auto brief = token("10s");
    const auto good = token("1h");
    check_line(enrol(good + "x", "edge-1"), 1, {"token"});
    check_line(enrol("gibberish", "edge-1"), 1, {"join token", "clarity token create"});
    check_line(enrol(good, "edge-9"), 1, {"edge-9", "refused to enrol"});
    CHECK(enrol(good, "edge-1").code == 0);
    check_line(enrol(good, "edge-1"), 1, {"was used at", "clarity token create"});
    const auto expired = [&] { return has(person.run({"token", "list"}).out, "expired"); };
    for (int i = 0; i < 150 && !expired(); ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));  // between two looks
    }
    check_line(enrol(brief, "edge-1"), 1, {"expired at", "clarity token create"});
}

TEST_CASE("bad input: a port in use names the setting and the address", "[cli]") {
    boost::asio::io_context loop;
    auto taken = http::Server::start(loop, {}, [](http::Request, const http::Reply&) {});
    REQUIRE(taken);
    const auto address = "127.0.0.1:" + std::to_string((*taken)->port());
    const TempFolder dir;
    const auto coordinator = [&](const std::string& rest, const std::string& control) {
        return run(
            CLARITY_COORDINATOR,
            {"--config", dir.write("c.yml", "state_dir: " + dir.path() + "/c\nrest: {listen: \"" +
                                                rest + "\"}\ncontrol: {listen: \"" + control +
                                                "\"}\nlog: {level: warning}\n")});
    };
    check_line(coordinator(address, "127.0.0.1:0"), 1, {"rest.listen", address, "in use"});
    check_line(coordinator("127.0.0.1:0", address), 1, {"control.listen", address, "in use"});
    check_line(coordinator("127.0.0.1:0", "127.0.0.1:99999"), 1, {"control.listen", "99999"});
    check_line(coordinator("nonsense", "127.0.0.1:0"), 1, {"rest.listen", "nonsense"});

    const RealCoordinator real;
    const Person person;
    expect(person, 0, {"login", real.url(), "--token-file", real.token_file(), "--yes"});
    expect(person, 0, {"root", "init"});
    write_inventory(person.home.path() + "/inventory");
    expect(person, 0, {"apply", person.home.path() + "/inventory"});
    const auto token = expect(person, 0, {"token", "create", "acme/dc-1", "-o", "json"});
    const auto text = agent_config(dir.path(), real.url(), "edge-1",
                                   parse_json(token.out).value().at("token").get<std::string>());
    const auto config = dir.write("agent.yml", text);
    REQUIRE(run(CLARITY_AGENT, {"enrol", "--config", config}).code == 0);
    for (const std::string each : {"mesh", "swarm", "http"}) {
        CAPTURE(each);
        auto changed = text + "log: {level: error}\n";
        const auto at = changed.find(each + ": {listen: \"");
        const auto from = changed.find("127.", at);
        changed.replace(from, changed.find('"', from) - from, address);
        check_line(run(CLARITY_AGENT, {"--config", dir.write("agent.yml", changed)}), 1,
                   {each + ".listen", address, "in use"});
    }
    loop.poll();
}

TEST_CASE("bad input: without permission, the file or folder is named", "[cli]") {
    if (!is_root()) {
        WARN("left out: only root can become another user");
        return;
    }
    const TempFolder dir;
    fs::permissions(dir.path(), fs::perms(0755));
    const auto locked = dir.path() + "/locked";
    fs::create_directory(locked);
    fs::permissions(locked, fs::perms(0755));
    const auto readable = [&](const std::string& name, const std::string& text) {
        const auto path = dir.write(name, text);
        fs::permissions(path, fs::perms(0644));
        return path;
    };
    const auto config = readable("c.yml", "state_dir: " + locked + "/state\n");
    const auto agent =
        readable("a.yml", agent_config(locked, "https://127.0.0.1:1", "edge-1", "token"));
    check_line(run_as_nobody(CLARITY_COORDINATOR, {"--config", config}), 1,
               {locked + "/state", "Permission denied", "owner"});
    check_line(run_as_nobody(CLARITY_AGENT, {"--config", agent}), 1,
               {locked + "/state", "Permission denied", "owner"});
    check_line(run_as_nobody(CLARITY_PROGRAM, {"init", locked + "/inventory"}), 1,
               {locked + "/inventory:", "Permission denied", "owner"});
    fs::permissions(config, fs::perms(0600));
    check_line(run_as_nobody(CLARITY_COORDINATOR, {"--config", config}), 1,
               {config, "Permission denied"});
    // Somebody else's context is not readable: no permission, not "not logged in".
    const auto home = dir.path() + "/home";
    fs::create_directory(home);
    fs::permissions(home, fs::perms(0700));
    check_line(run_as_nobody(CLARITY_PROGRAM, {"agents"}, {{"CLARITY_CONFIG_DIR", home}}), 1,
               {home, "Permission denied"});
    CHECK(fs::is_empty(locked));
}

TEST_CASE("bad input: a full disk is said with the file, and what was there stays", "[cli]") {
    if (!is_root()) {
        WARN("left out: only root can mount a file system");
        return;
    }
    const auto probe = run_on_small_disk("1m", "/bin/true", "exit 0");
    if (probe.code != 0) {
        WARN("left out: nothing can be mounted here: " + probe.err);
        return;
    }

    const auto init = run_on_small_disk("8k", CLARITY_PROGRAM,
                                        "\"$1\" init /mnt/inventory; code=$?; ls -A /mnt; "
                                        "exit $code");
    check_line(init, 1, {"/mnt/inventory/", "No space left", "free some space"});

    // First start: no key half-written, and it starts once there is room.
    const auto first =
        run_on_small_disk("16k", CLARITY_COORDINATOR,
                          "printf 'state_dir: /mnt/s\\nrest: {listen: \"127.0.0.1:0\"}\\n"
                          "control: {listen: \"127.0.0.1:0\"}\\n' > /tmp/full-$$.yml; "
                          "\"$1\" --config /tmp/full-$$.yml; code=$?; find /mnt -name '*.tmp-*'; "
                          "mount -o remount,size=8m /mnt; "
                          "timeout 2 \"$1\" --config /tmp/full-$$.yml 2>/dev/null; "
                          "[ $? = 124 ] || echo does not start; rm /tmp/full-$$.yml; exit $code");
    check_line(first, 1, {"/mnt/s/", "No space left", "free some space"});

    const auto agent = run_on_small_disk(
        "16k", CLARITY_AGENT,
        "printf 'state_dir: /mnt/s\\nrun_dir: /mnt/r\\ncoordinator: https://127.0.0.1:1\\n"
        "join_token: abc\\n' > /tmp/full-$$.yml; "
        "\"$1\" --config /tmp/full-$$.yml; code=$?; rm /tmp/full-$$.yml; exit $code");
    CAPTURE(agent.err);
    CHECK(agent.code == 1);
    CHECK(has(agent.err, "/mnt/s"));
}

TEST_CASE("bad input: an agent without room for an artifact says so in its status", "[cli]") {
    const auto probe = run_on_small_disk("1m", "/bin/true", "exit 0");
    if (!is_root() || probe.code != 0) {
        WARN("left out: nothing can be mounted here: " + probe.err);
        return;
    }
    const std::string bytes(16U << 20, 'a');
    boost::asio::io_context loop;
    auto origin =
        http::Server::start(loop, {}, [&](const http::Request& request, const http::Reply& reply) {
            http::Response out;
            if (request.method != "HEAD") out.body = bytes;
            out.headers["ETag"] = "\"one\"";
            reply(out);
        });
    REQUIRE(origin);
    std::jthread serving([&] { loop.run(); });
    struct Stop {
        boost::asio::io_context& loop;
        ~Stop() { loop.stop(); }
    };
    const Stop stop{loop};  // however this test ends
    const RealCoordinator coordinator;
    const Person person;
    expect(person, 0, {"login", coordinator.url(), "--token-file", coordinator.token_file(), "-y"});
    expect(person, 0, {"root", "init"});
    write_inventory(person.home.path() + "/inventory",
                    "http://127.0.0.1:" + std::to_string((*origin)->port()));
    expect(person, 0, {"apply", person.home.path() + "/inventory"});
    expect(person, 0, {"artifact", "add", "app@1.0.0", person.home.write("app", bytes)});
    const auto token = expect(person, 0, {"token", "create", "acme/dc-1", "-o", "json"});
    RealAgent agent(coordinator.url(), "edge-1",
                    parse_json(token.out).value().at("token").get<std::string>());
    agent.start_on_small_disk("8m");
    CAPTURE(agent.log());
    REQUIRE(agent.says("connected to the coordinator"));
    expect(person, 0, {"publish", "acme/dc-1", "-e", "prod", "--yes", "--detach"});
    std::string said;
    for (int i = 0; i < 200 && said.find("space") == std::string::npos; ++i) {
        said = person.run({"status", "--socket", agent.socket()}).out;
        std::this_thread::sleep_for(std::chrono::milliseconds(100));  // between two looks
    }
    CAPTURE(said, agent.log());
    CHECK(has(said, "app"));
    CHECK(has(said, "space"));
}
