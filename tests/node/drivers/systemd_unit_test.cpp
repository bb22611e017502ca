#include "node/drivers/systemd_unit.hpp"

#include "host.hpp"

using namespace clarity;

namespace {

ProcessSpec sample() {
    ProcessSpec spec;
    spec.service = "smsgateway";
    spec.key = "key-1";
    spec.argv = {"/opt/a b/run$x", "$HOME", "100%", "say \"hi\"", "two\nlines"};
    return spec;
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("systemd: nothing in a command line is expanded") {
    const auto text = systemd::unit_text(sample(), {"node", "/state 100%/x.env", 252});
    CHECK(has(text,
              "ExecStart=\"/opt/a b/run$x\" \"$$HOME\" \"100%%\" \"say \\\"hi\\\"\" "
              "\"two\\x0alines\"\n"));
    CHECK(has(text, "EnvironmentFile=/state 100%%/x.env\n"));
    CHECK(systemd::key_of(text) == "key-1");
}

TEST_CASE("systemd: a unit file that somebody edited is told from ours") {
    auto text = systemd::unit_text(sample(), {"node", "/e", 252});
    CHECK(systemd::is_untouched(text));
    CHECK_FALSE(systemd::is_untouched(text + "[Service]\nNice=5\n"));
    text.replace(text.find("always"), 6, "no    ");
    CHECK_FALSE(systemd::is_untouched(text));
    CHECK_FALSE(systemd::is_untouched(""));
}

TEST_CASE("systemd: only what starts with the host has an [Install]") {
    auto spec = sample();
    CHECK(has(systemd::unit_text(spec, {"node", "/e", 252}), "[Install]"));
    spec.autostart = false;
    CHECK_FALSE(has(systemd::unit_text(spec, {"node", "/e", 252}), "[Install]"));
}

TEST_CASE("systemd: limits, policy and order are in the unit, newer keys for newer systemd only") {
    auto spec = sample();
    spec.restart = RestartPolicy::never;
    spec.memory_max_bytes = 64U << 20;
    spec.cpu_percent_max = 50;
    spec.after = {"database"};
    const auto old = systemd::unit_text(spec, {"node", "/e", 252});
    CHECK(has(old, "Restart=no\n"));
    CHECK(has(old, "MemoryMax=67108864\n"));
    CHECK(has(old, "CPUQuota=50%\n"));
    CHECK(has(old, " " + systemd::unit_name("node", "database") + "\n"));
    CHECK_FALSE(has(old, "RestartSteps"));
    CHECK(has(systemd::unit_text(spec, {"node", "/e", 254}), "RestartSteps"));
}

TEST_CASE("systemd: unit names hold any service's name and keep agents apart") {
    CHECK(systemd::unit_name("5f0c4a4e-1", "a") != systemd::unit_name("5f0c4a4e-2", "a"));
    const auto name = systemd::unit_name("../x", "c++~1");
    CHECK(has(name, "-c\\x2b\\x2b\\x7e1.service"));
    CHECK_FALSE(has(name, "/"));
}

TEST_CASE("systemd: an environment that it would leave out is refused") {
    using Env = std::map<std::string, std::string>;
    const auto text = systemd::environment_text(Env{{"A", "x\"y$z`\\\nline"}, {"B_2", "\xc3\xa9"}});
    require_ok(text);
    CHECK(*text == "A=\"x\\\"y\\$z\\`\\\\\nline\"\nB_2=\"\xc3\xa9\"\n");
    for (const auto& bad : {Env{{"a.b", ""}}, Env{{"1A", ""}}, Env{{"A", "\x01"}},
                            Env{{"A", "\xff"}}, Env{{"A", "\xc3"}}}) {
        CHECK_FALSE(systemd::environment_text(bad).has_value());
    }
}

TEST_CASE("systemd: what its properties say becomes a state and one line") {
    const auto seen = [](systemd::UnitFacts facts) {
        Observation out;
        systemd::describe(facts, out);
        return out;
    };
    CHECK(seen({"loaded", "active", "running", "success"}).state == RunState::running);
    const auto killed = seen({"loaded", "activating", "auto-restart", "signal", 2, 9});
    CHECK(killed.state == RunState::waiting);
    CHECK(killed.exit_code == 137);
    CHECK(killed.detail == "killed by signal 9; systemd starts it again");
    const auto ended = seen({"loaded", "failed", "failed", "exit-code", 1, 3});
    CHECK(ended.state == RunState::stopped);
    CHECK(ended.exit_code == 3);
    const auto hopeless = seen({"loaded", "failed", "failed", "resources"});
    CHECK(hopeless.state == RunState::failed);
    CHECK(hopeless.exit_code != 0);  // nothing that did not start has finished well
    CHECK(seen({"loaded", "failed", "failed", "oom-kill", 2, 9}).detail ==
          "killed: over its memory limit");
    CHECK(seen({"loaded", "inactive", "dead", "success", 0, 0, true}).state == RunState::waiting);
    CHECK(has(seen({"bad-setting", "inactive", "dead", ""}).detail, "bad-setting"));
}
