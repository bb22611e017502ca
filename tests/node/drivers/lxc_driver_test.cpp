#include <sys/stat.h>

#include <iostream>

#include "host.hpp"
#include "node/drivers/lxc_config.hpp"
#include "node/drivers/lxc_run.hpp"

using namespace clarity;
using namespace std::chrono_literals;

namespace {

/// A tarball with a rootfs of one static busybox.
Instance container_instance(const TempHost& host, const std::string& script) {
    const auto dir = host.root + "/image";
    REQUIRE(shell("mkdir -p " + dir + "/rootfs/bin " + dir + "/rootfs/proc " + dir +
                  "/rootfs/sys " + dir + "/rootfs/dev " + dir + "/rootfs/tmp " + dir +
                  "/rootfs/etc && cp /bin/busybox " + dir + "/rootfs/bin/ && ln -sf busybox " +
                  dir + "/rootfs/bin/sh && tar -C " + dir + " --zstd -cf " + host.root +
                  "/image.tar.zst rootfs") == 0);
    Instance out;
    out.service.name = "box";
    out.service.version = "1.0";
    out.service.type = ArtifactType::lxc;
    out.service.command = {"/bin/sh", "-c", script};
    out.artifact_path = host.root + "/image.tar.zst";
    out.key = "k1";
    return out;
}

bool lxc_here(Driver& driver) {
    const auto here = driver.probe();
    if (!here) std::cout << "SKIPPED: " << here.error().message << "\n";
    if (::access("/bin/busybox", X_OK) != 0) {
        std::cout << "SKIPPED: no /bin/busybox (busybox-static) to make a container of\n";
        return false;
    }
    return here.has_value();
}

void deploy(Driver& driver, const Instance& instance) {
    require_ok(driver.validate(instance));
    require_ok(driver.prepare(instance));
    require_ok(driver.configure(instance));
    require_ok(driver.set_up(instance));
    require_ok(driver.start(instance));
}

}  // namespace

TEST_CASE("lxc: a container runs from a tarball with environment, files and volumes") {
    TempHost host;
    auto driver = make_lxc_driver(host.settings);
    if (!lxc_here(*driver)) return;
    auto instance = container_instance(
        host,
        "echo env $NAME; /bin/busybox cat /etc/app.conf; echo kept > /data/file; "
        "trap 'exit 0' TERM; while :; do /bin/busybox sleep 0.1; done");
    instance.config.env["NAME"] = "some value";
    instance.config.files.push_back({"/etc/app.conf", "answer=42\n", 0640});
    instance.service.volumes.push_back({host.root + "/data", "/data", false});
    instance.service.memory_max_bytes = 64 << 20;
    deploy(*driver, instance);
    REQUIRE(eventually([&] { return file_exists(host.root + "/data/file"); }));
    CHECK(driver->observe("box")->state == RunState::running);
    CHECK(driver->observe("box")->key == "k1");
    CHECK(container_init_pid(host.settings.state_dir + "/lxc", "box") > 0);
    INFO(*driver->logs("box", 20));
    CHECK(driver->logs("box", 20)->find("env some value") != std::string::npos);
    CHECK(driver->logs("box", 20)->find("answer=42") != std::string::npos);
    // Another driver object, as after a restart of the agent, finds it.
    CHECK(make_lxc_driver(host.settings)->observe("box")->state == RunState::running);
    require_ok(driver->stop("box", 5000ms));
    CHECK(driver->observe("box")->state == RunState::stopped);
    CHECK(container_init_pid(host.settings.state_dir + "/lxc", "box") == 0);
    require_ok(driver->remove("box"));
    require_ok(driver->discard("box", "1.0"));
    CHECK(driver->observe("box")->state == RunState::absent);
    CHECK_FALSE(file_exists(host.settings.service_root + "/box"));
    CHECK_FALSE(file_exists(host.settings.state_dir + "/lxc/box"));
}

TEST_CASE("lxc: the exit code of a container is known") {
    TempHost host;
    auto driver = make_lxc_driver(host.settings);
    if (!lxc_here(*driver)) return;
    auto instance = container_instance(host, "exit 7");
    instance.service.restart = RestartPolicy::never;
    deploy(*driver, instance);
    REQUIRE(eventually([&] { return driver->observe("box")->state == RunState::stopped; }));
    CHECK(driver->observe("box")->exit_code == 7);
    require_ok(driver->remove("box"));
}

TEST_CASE("lxc: a container that ignores its signal is killed after the grace") {
    TempHost host;
    auto driver = make_lxc_driver(host.settings);
    if (!lxc_here(*driver)) return;
    deploy(*driver,
           container_instance(host, "trap '' TERM; while :; do /bin/busybox sleep 1; done"));
    REQUIRE(eventually(
        [&] { return container_init_pid(host.settings.state_dir + "/lxc", "box") > 0; }));
    require_ok(driver->stop("box", 300ms));
    CHECK(container_init_pid(host.settings.state_dir + "/lxc", "box") == 0);
    require_ok(driver->remove("box"));
}

TEST_CASE("lxc: what cannot start says why") {
    TempHost host;
    auto driver = make_lxc_driver(host.settings);
    if (!lxc_here(*driver)) return;
    auto instance = container_instance(host, "");
    instance.service.command = {"/no/such/init"};
    instance.service.restart = RestartPolicy::never;
    deploy(*driver, instance);
    REQUIRE(eventually([&] { return driver->observe("box")->state == RunState::stopped; }));
    CHECK(driver->observe("box")->exit_code != 0);
    CHECK_FALSE(driver->observe("box")->detail.empty());
    require_ok(driver->remove("box"));
}

TEST_CASE("lxc: an artifact's own config cannot reach out of the container") {
    Instance instance;
    instance.service.name = "box";
    ContainerPlan plan;
    plan.rootfs = "/r";
    plan.from_artifact =
        "lxc.hook.pre-start = /bin/evil\nlxc.mount.entry = / mnt none bind 0 0\n"
        "lxc.init.cmd = /bin/app --flag\nlxc.rootfs.path = /\n# c\nlxc.signal.halt = SIGINT\n";
    const auto made = container_config(instance, plan);
    require_ok(made);
    CHECK(made->text.find("evil") == std::string::npos);
    CHECK(made->text.find("mnt none") == std::string::npos);
    CHECK(made->text.find("lxc.init.cmd = /bin/app --flag\n") != std::string::npos);
    CHECK(made->text.find("lxc.rootfs.path = /\n") == std::string::npos);
    CHECK(made->stop_signal == SIGINT);
}
