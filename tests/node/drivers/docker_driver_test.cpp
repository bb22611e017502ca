#include <fcntl.h>
#include <sys/wait.h>

#include <iostream>

#include "host.hpp"
#include "node/drivers/docker_api.hpp"

using namespace clarity;
using namespace std::chrono_literals;

namespace {

/// A Docker engine of the test's own, in the host's folder.
class Engine {
  public:
    explicit Engine(TempHost& host) : dir_(host.root + "/docker") {
        require_ok(make_dirs(dir_));
        host.settings.docker_socket = dir_ + "/docker.sock";
        if (::access("/usr/sbin/dockerd", X_OK) != 0 || ::geteuid() != 0) {
            std::cout << "SKIPPED: no dockerd here, or not root\n";
            return;
        }
        pid_ = ::fork();
        if (pid_ == 0) {
            const int log = ::open((dir_ + "/log").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
            ::dup2(log, 1);
            ::dup2(log, 2);
            const auto socket = "unix://" + dir_ + "/docker.sock";
            const auto data = dir_ + "/data", exec = dir_ + "/exec", file = dir_ + "/pid";
            ::execl("/usr/sbin/dockerd", "dockerd", "--bridge=none", "--iptables=false",
                    "--ip6tables=false", "-H", socket.c_str(), "--data-root", data.c_str(),
                    "--exec-root", exec.c_str(), "-p", file.c_str(), "--storage-driver", "vfs",
                    nullptr);
            ::_exit(127);
        }
        const DockerApi api(host.settings.docker_socket);
        up_ = eventually([&] { return api.ping().has_value(); }, 40'000);
        if (!up_)
            std::cout << "SKIPPED: dockerd does not start here, see " << dir_ << "/log\n"
                      << tail_of(dir_ + "/log", 5);
    }
    ~Engine() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGTERM);
        int status = 0;
        if (!eventually([&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; }, 20'000)) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, &status, 0);
        }
        (void)shell("umount " + dir_ + "/exec/netns/* 2>/dev/null");
    }
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;
    [[nodiscard]] bool up() const { return up_; }
    [[nodiscard]] std::string docker() const {
        return "docker -H unix://" + dir_ + "/docker.sock ";
    }

  private:
    std::string dir_;
    pid_t pid_ = 0;
    bool up_ = false;
};

}  // namespace

TEST_CASE("docker: without an engine the probe says so in one line") {
    TempHost host;
    host.settings.docker_socket = host.root + "/none.sock";
    const auto probed = make_docker_driver(host.settings)->probe();
    REQUIRE_FALSE(probed.has_value());
    CHECK(probed.error().code == Errc::unavailable);
    CHECK(probed.error().message.find("no Docker engine answers") != std::string::npos);
}

TEST_CASE("docker: an image from a docker save archive is loaded, run, observed and removed") {
    TempHost host;
    const Engine engine(host);
    if (!engine.up()) return;
    REQUIRE(shell("cd " + host.root +
                  " && mkdir -p fs/bin fs/etc fs/tmp && cp /bin/busybox fs/bin/ "
                  "&& ln -s busybox fs/bin/sh && tar -C fs -cf fs.tar . && " +
                  engine.docker() + "import fs.tar clarity-test:1 >/dev/null && " +
                  engine.docker() + "save -o image.tar clarity-test:1 && " + engine.docker() +
                  "rmi clarity-test:1 >/dev/null") == 0);
    auto driver = make_docker_driver(host.settings);
    require_ok(driver->probe());
    Instance instance;
    instance.service.name = "web";
    instance.service.version = "1.0";
    instance.service.type = ArtifactType::docker;
    instance.service.network = "host";
    instance.service.command = {"/bin/sh", "-c",
                                "echo $NAME; /bin/busybox cat /etc/app.conf; "
                                "trap 'exit 0' TERM; while :; do /bin/busybox sleep 0.1; done"};
    instance.service.volumes.push_back({host.root + "/data", "/data", false});
    instance.config.env["NAME"] = "some value";
    instance.config.files.push_back({"/etc/app.conf", "answer=42\n", 0640});
    instance.artifact_path = host.root + "/image.tar";
    instance.key = "k1";
    CHECK(driver->observe("web")->state == RunState::absent);
    require_ok(driver->validate(instance));
    require_ok(driver->prepare(instance));
    require_ok(driver->prepare(instance));
    require_ok(driver->configure(instance));
    require_ok(driver->set_up(instance));
    require_ok(driver->start(instance));
    require_ok(driver->start(instance));
    REQUIRE(eventually([&] {
        return driver->logs("web", 20)->find("some value\nanswer=42") != std::string::npos;
    }));
    CHECK(driver->observe("web")->state == RunState::running);
    CHECK(driver->observe("web")->key == "k1");
    CHECK(driver->observe("web")->started_unix_ms > 0);
    instance.key = "k2";
    require_ok(driver->stop("web", 2000ms));
    CHECK(driver->observe("web")->state == RunState::stopped);
    require_ok(driver->configure(instance));
    require_ok(driver->set_up(instance));
    require_ok(driver->start(instance));
    CHECK(driver->observe("web")->key == "k2");
    require_ok(driver->remove("web"));
    CHECK(driver->observe("web")->state == RunState::absent);
    require_ok(driver->discard("web", "1.0"));
}
