#include <fstream>

#include "host.hpp"
#include "node/drivers/supervisor.hpp"

using namespace clarity;
using namespace std::chrono_literals;

namespace {

ProcessSpec shell_spec(const std::string& script) {
    ProcessSpec spec;
    spec.service = "web";
    spec.key = "k1";
    spec.argv = {"/bin/sh", "-c", script};
    spec.backoff_min_ms = 50;
    spec.backoff_max_ms = 200;
    return spec;
}

RunState state_of(ServiceManager& manager) {
    return manager.observe("web")->state;
}

ShimStatus status_in(const TempHost& host) {
    return decode_status(*read_file(host.settings.state_dir + "/supervise/web/status.json", 9999))
        .value();
}

}  // namespace

TEST_CASE("builtin: a service runs with its environment, writes its log and stops") {
    TempHost host;
    auto manager = make_builtin_manager(host.settings);
    auto spec = shell_spec("echo hello $NAME; exec sleep 1000");
    spec.env["NAME"] = "world \"quoted\"";
    CHECK(manager->observe("web")->state == RunState::absent);
    require_ok(manager->define(spec));
    require_ok(manager->start("web"));
    REQUIRE(eventually([&] { return state_of(*manager) == RunState::running; }));
    CHECK(manager->observe("web")->key == "k1");
    REQUIRE(eventually([&] { return manager->logs("web", 5)->find("hello world") == 0; }));
    const auto child = status_in(host).child_pid;
    require_ok(manager->start("web"));  // once more: nothing happens
    CHECK(status_in(host).child_pid == child);
    require_ok(manager->stop("web", 2000ms));
    CHECK(state_of(*manager) == RunState::stopped);
    CHECK(process_start_time(child) == 0);
    require_ok(manager->stop("web", 2000ms));
    require_ok(manager->remove("web"));
    CHECK(manager->observe("web")->state == RunState::absent);
}

TEST_CASE("builtin: a service outlives kill -9 of its owner and is adopted again") {
    TempHost host;
    const pid_t owner = ::fork();
    if (owner == 0) {  // the agent that is killed
        auto manager = make_builtin_manager(host.settings);
        (void)manager->define(shell_spec("exec sleep 1000"));
        (void)manager->start("web");
        for (;;) ::pause();
    }
    auto manager = make_builtin_manager(host.settings);
    const auto up = eventually([&] { return state_of(*manager) == RunState::running; });
    ::kill(owner, SIGKILL);
    ::waitpid(owner, nullptr, 0);
    REQUIRE(up);
    const auto before = status_in(host);
    auto next = make_builtin_manager(host.settings);
    CHECK(state_of(*next) == RunState::running);
    require_ok(next->start("web"));
    CHECK(status_in(host).child_pid == before.child_pid);
    CHECK(process_start_time(before.child_pid) == before.child_start);
    require_ok(next->remove("web"));
    CHECK(process_start_time(before.child_pid) == 0);
}

TEST_CASE("builtin: a process whose supervisor was killed is taken over") {
    TempHost host;
    auto manager = make_builtin_manager(host.settings);
    require_ok(manager->define(shell_spec("exec sleep 1000")));
    require_ok(manager->start("web"));
    const auto before = status_in(host);
    ::kill(before.shim_pid, SIGKILL);
    REQUIRE(eventually([&] { return state_of(*manager) == RunState::stopped; }));
    CHECK_FALSE(manager->observe("web")->drift.empty());
    require_ok(manager->start("web"));
    CHECK(state_of(*manager) == RunState::running);
    CHECK(status_in(host).child_pid == before.child_pid);
    require_ok(manager->stop("web", 2000ms));
    CHECK(process_start_time(before.child_pid) == 0);
    require_ok(manager->remove("web"));
}

TEST_CASE("builtin: what crashes is restarted with a growing backoff") {
    TempHost host;
    auto manager = make_builtin_manager(host.settings);
    require_ok(manager->define(shell_spec("exit 3")));
    require_ok(manager->start("web"));
    REQUIRE(eventually([&] { return manager->observe("web")->restarts >= 4; }));
    const auto seen = *manager->observe("web");
    CHECK(seen.exit_code == 3);
    require_ok(manager->stop("web", 500ms));
    CHECK(state_of(*manager) == RunState::stopped);
    const auto restarts = manager->observe("web")->restarts;
    CHECK_FALSE(eventually([&] { return manager->observe("web")->restarts > restarts; }, 500));
    require_ok(manager->remove("web"));
}

TEST_CASE("builtin: policy never and on_failure leave an ended service alone") {
    const auto policy = GENERATE(RestartPolicy::never, RestartPolicy::on_failure);
    TempHost host;
    auto manager = make_builtin_manager(host.settings);
    auto spec = shell_spec(policy == RestartPolicy::never ? "exit 5" : "exit 0");
    spec.restart = policy;
    require_ok(manager->define(spec));
    require_ok(manager->start("web"));
    REQUIRE(eventually([&] { return state_of(*manager) == RunState::stopped; }));
    CHECK(manager->observe("web")->restarts == 0);
    CHECK(manager->observe("web")->exit_code == (policy == RestartPolicy::never ? 5 : 0));
    require_ok(manager->remove("web"));
}

TEST_CASE("builtin: what ignores TERM is killed with its whole group after the grace") {
    TempHost host;
    auto manager = make_builtin_manager(host.settings);
    require_ok(manager->define(shell_spec("trap '' TERM; sleep 1000 & while :; do sleep 1; done")));
    require_ok(manager->start("web"));
    const auto pid = status_in(host).child_pid;
    require_ok(manager->stop("web", 300ms));
    CHECK(process_start_time(pid) == 0);
    require_ok(manager->remove("web"));
}

TEST_CASE("builtin: a program that does not exist is told in one line") {
    TempHost host;
    auto manager = make_builtin_manager(host.settings);
    auto spec = shell_spec("");
    spec.argv = {"/no/such/program"};
    spec.restart = RestartPolicy::never;
    require_ok(manager->define(spec));
    (void)manager->start("web");
    REQUIRE(eventually([&] { return state_of(*manager) == RunState::stopped; }));
    CHECK(manager->observe("web")->detail.find("/no/such/program: No such file") !=
          std::string::npos);
    require_ok(manager->remove("web"));
}

TEST_CASE("builtin: the log is cut at its limit") {
    TempHost host;
    auto manager = make_builtin_manager(host.settings);
    auto spec = shell_spec("while :; do echo 0123456789012345678901234567890123456789; done");
    spec.log_max_bytes = 64 << 10;
    require_ok(manager->define(spec));
    require_ok(manager->start("web"));
    const auto dir = host.settings.state_dir + "/supervise/web/";
    CHECK(eventually([&] { return file_exists(dir + "log.1"); }));
    require_ok(manager->stop("web", 500ms));
    CHECK(*file_size(dir + "log.1") <= spec.log_max_bytes);
    require_ok(manager->remove("web"));
}
