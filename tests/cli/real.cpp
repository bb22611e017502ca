#include "tests/cli/real.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace clarity::test {

int free_port() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* plain = reinterpret_cast<sockaddr*>(&address);
    if (::bind(fd, plain, size) != 0 || ::getsockname(fd, plain, &size) != 0) {
        throw std::runtime_error("no free port");
    }
    ::close(fd);
    return ntohs(address.sin_port);
}

void Daemon::start(const std::string& program, const std::vector<std::string>& arguments,
                   const std::string& log) {
    stop();
    log_path_ = log;
    child_ = ::fork();
    if (child_ != 0) return;
    const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    const int in = ::open("/dev/null", O_RDONLY);
    ::dup2(in, 0);
    ::dup2(out, 1);
    ::dup2(out, 2);
    std::vector<std::string> words = {program};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (auto& each : words) argv.push_back(each.data());
    argv.push_back(nullptr);
    ::execv(program.c_str(), argv.data());
    ::_exit(127);
}

void Daemon::stop() {
    if (child_ <= 0) return;
    ::kill(child_, SIGTERM);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (::waitpid(child_, nullptr, WNOHANG) == 0) {
        if (std::chrono::steady_clock::now() > deadline) {
            ::kill(child_, SIGKILL);
            ::waitpid(child_, nullptr, 0);
            break;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(10));  // between two looks
    }
    child_ = -1;
}

std::string Daemon::log() const {
    std::stringstream text;
    text << std::ifstream(log_path_).rdbuf();
    return text.str();
}

bool Daemon::says(const std::string& text, int deadline_ms) const {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(deadline_ms);
    while (log().find(text) == std::string::npos) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));  // between two looks
    }
    return true;
}

RealCoordinator::RealCoordinator() {
    (void)folder_.write(
        "c.yml", "state_dir: " + folder_.path() + "/state\n" +
                     "rest: {listen: \"127.0.0.1:" + std::to_string(rest_) +
                     "\"}\ncontrol: {listen: \"127.0.0.1:" + std::to_string(control_) + "\"}\n");
    start();
}

void RealCoordinator::start() {
    daemon_.start(CLARITY_COORDINATOR, {"--config", config()}, folder_.path() + "/log");
    if (!daemon_.says("REST API at ")) throw std::runtime_error(daemon_.log());
}

std::string RealCoordinator::url() const {
    return "https://127.0.0.1:" + std::to_string(rest_);
}

std::string agent_config(const std::string& folder, const std::string& coordinator,
                         const std::string& server, const std::string& join_token) {
    const auto here = [] { return "127.0.0.1:" + std::to_string(free_port()); };
    return "state_dir: " + folder + "/state\nrun_dir: " + folder +
           "/run\ncoordinator: " + coordinator + "\nserver: " + server +
           "\njoin_token: " + join_token + "\nmesh: {listen: \"" + here() +
           "\"}\nswarm: {listen: \"" + here() + "\"}\nhttp: {listen: \"" + here() +
           "\"}\nservice_manager: builtin\ndocker_socket: /nowhere/docker.sock\n";
}

RealAgent::RealAgent(const std::string& coordinator_url, const std::string& server,
                     const std::string& join_token) {
    (void)folder_.write("agent.yml",
                        agent_config(folder_.path(), coordinator_url, server, join_token));
}

void RealAgent::start() {
    daemon_.start(CLARITY_AGENT, {"--config", config()}, folder_.path() + "/log");
}

void RealAgent::start_on_small_disk(const std::string& size) {
    const auto state = folder_.path() + "/state";
    std::filesystem::create_directories(state);
    daemon_.start("/usr/bin/unshare",
                  {"-m", "/bin/sh", "-c",
                   "mount -t tmpfs -o size=" + size + " none " + state + " && exec \"$@\"", "sh",
                   CLARITY_AGENT, "--config", config()},
                  folder_.path() + "/log");
}

void write_inventory(const std::string& folder, const std::string& repository) {
    const std::map<std::string, std::string> files{
        {"clients/acme/metadata.yml",
         "client:\n  id: 11111111-1111-4111-8111-111111111111\n  name: Acme\n  code: acme\n"},
        {"clients/acme/datacenters.yml",
         "datacenters:\n  - id: 22222222-2222-4222-8222-222222222222\n    name: One\n"
         "    code: dc-1\n    type: edge\n"},
        {"clients/acme/servers.yml",
         "servers:\n  - id: 33333333-3333-4333-8333-333333333331\n    datacenter_id: dc-1\n"
         "    hostname: edge-1\n    ip_addresses: {management: 127.0.0.1}\n"},
        {"artifacts/registry.yml",
         "artifacts:\n  - id: app\n    name: App\n    type: binary\n    repository: main\n"},
        {"artifacts/versions.yml",
         "versions:\n  - artifact_id: app\n    version: 1.0.0\n    repository: main\n"
         "    path: app/1.0.0\n"},
        {"repositories/config.yml",
         "repository_config:\n  main:\n    type: http\n    base_url: " + repository + "\n"},
        {"profiles/prod/app.yml",
         "deployment_profile:\n  environment: prod\n  artifacts:\n    - artifact_id: app\n"
         "      version: 1.0.0\n"}};
    for (const auto& [name, text] : files) {
        const auto path = std::filesystem::path(folder) / name;
        std::filesystem::create_directories(path.parent_path());
        std::ofstream(path) << text;
    }
}

Finished expect(const Person& person, int code, const std::vector<std::string>& arguments) {
    auto done = person.run(arguments);
    CAPTURE(arguments, done.out, done.err);
    CHECK(done.code == code);
    return done;
}

}  // namespace clarity::test
