#include <fstream>

#include "host.hpp"
#include "node/drivers/unpack.hpp"

using namespace clarity;
using namespace std::chrono_literals;

namespace {

Instance script_instance(const TempHost& host, const std::string& text) {
    Instance out;
    out.service.name = "smsgateway";
    out.service.version = "1.0.0";
    out.artifact_path = host.root + "/artifact";
    out.sha256 = sha256(text);
    out.key = "key-1";
    require_ok(write_file_atomic(out.artifact_path, text, 0644));
    return out;
}

void deploy(Driver& driver, const Instance& instance) {
    require_ok(driver.validate(instance));
    require_ok(driver.prepare(instance));
    require_ok(driver.configure(instance));
    require_ok(driver.set_up(instance));
    require_ok(driver.start(instance));
}

}  // namespace

TEST_CASE("binary: a script runs with its configuration, drift is seen, removal leaves nothing") {
    TempHost host;
    auto driver = make_binary_driver(host.settings, make_builtin_manager(host.settings));
    auto instance = script_instance(host, "#!/bin/sh\ncat $CONF\nexec sleep 1000\n");
    const auto conf = host.root + "/etc/sms.conf";
    instance.config.files.push_back({conf, "secret=1\n", 0600});
    instance.config.env["CONF"] = conf;
    deploy(*driver, instance);
    deploy(*driver, instance);  // idempotent
    REQUIRE(eventually(
        [&] { return driver->logs("smsgateway", 9)->find("secret=1") != std::string::npos; }));
    CHECK(driver->observe("smsgateway")->drift.empty());
    std::ofstream(conf, std::ios::app) << "edited\n";
    const auto drift = driver->observe("smsgateway")->drift;
    REQUIRE(drift.size() == 1);
    CHECK(drift[0].find("changed on disk") != std::string::npos);
    require_ok(driver->remove("smsgateway"));
    require_ok(driver->discard("smsgateway", "1.0.0"));
    CHECK_FALSE(file_exists(conf));
    CHECK_FALSE(file_exists(host.settings.service_root + "/smsgateway"));
    CHECK(driver->observe("smsgateway")->state == RunState::absent);
}

TEST_CASE("binary: a tarball is unpacked and its command is relative to it") {
    TempHost host;
    REQUIRE(shell("mkdir -p " + host.root + "/t/bin && printf '#!/bin/sh\\necho from $PWD\\n' > " +
                  host.root + "/t/bin/run && chmod 755 " + host.root + "/t/bin/run && tar -C " +
                  host.root + "/t -czf " + host.root + "/artifact bin") == 0);
    Instance instance;
    instance.service.name = "tool";
    instance.service.version = "2";
    instance.service.command = {"bin/run"};
    instance.service.restart = RestartPolicy::never;
    instance.artifact_path = host.root + "/artifact";
    instance.key = "k";
    auto driver = make_binary_driver(host.settings, make_builtin_manager(host.settings));
    deploy(*driver, instance);
    REQUIRE(eventually([&] { return driver->observe("tool")->state == RunState::stopped; }));
    CHECK(driver->logs("tool", 5)->find("/services/tool/2") != std::string::npos);
    require_ok(driver->remove("tool"));
}

TEST_CASE("binary: bad names and configuration paths are refused before anything happens") {
    TempHost host;
    auto driver = make_binary_driver(host.settings, make_builtin_manager(host.settings));
    auto instance = script_instance(host, "#!/bin/sh\n");
    instance.service.name = "../evil";
    CHECK_FALSE(driver->validate(instance).has_value());
    instance.service.name = "ok";
    instance.config.files.push_back({"/etc/../x", "", 0640});
    CHECK_FALSE(driver->validate(instance).has_value());
}

TEST_CASE("unpack: nothing lands outside the folder") {
    TempHost host;
    const auto archive = host.root + "/a.tar";
    const auto how = GENERATE(as<std::string>{}, "absolute", "dotdot", "symlink");
    CAPTURE(how);
    const auto in = "cd " + host.root + " && mkdir -p d && echo x > d/f && ";
    if (how == "absolute") {
        REQUIRE(shell(in + "tar -cPf a.tar " + host.root + "/d/f 2>/dev/null") == 0);
    } else if (how == "dotdot") {
        REQUIRE(shell(in + "tar -cf a.tar --transform 's,d/f,../escaped,' d/f 2>/dev/null") == 0);
    } else {
        REQUIRE(shell(in + "ln -s " + host.root +
                      "/outside link && mkdir outside && "
                      "tar -cf a.tar link && tar -rf a.tar --transform 's,d/f,link/f,' d/f") == 0);
    }
    CHECK_FALSE(unpack_archive(archive, host.root + "/out").has_value());
    CHECK_FALSE(file_exists(host.root + "/escaped"));
    CHECK_FALSE(file_exists(host.root + "/outside/f"));
}

TEST_CASE("unpack: an archive over the limits is refused") {
    TempHost host;
    REQUIRE(shell("cd " + host.root + " && head -c 100000 /dev/zero > big && tar -czf a big") == 0);
    UnpackLimits limits;
    limits.size_max_bytes = 50'000;
    CHECK_FALSE(unpack_archive(host.root + "/a", host.root + "/out", limits).has_value());
    limits = {};
    limits.files_max = 0;
    CHECK_FALSE(unpack_archive(host.root + "/a", host.root + "/out2", limits).has_value());
}
