#include "origin.hpp"

#include <arpa/inet.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

namespace {

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

std::uint16_t free_port() {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    auto address = loopback(0);
    socklen_t size = sizeof address;
    REQUIRE(bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    close(fd);
    return ntohs(address.sin_port);
}

bool answers(std::uint16_t port) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    const auto address = loopback(port);
    const bool up = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    close(fd);
    return up;
}

}  // namespace

Origin::Origin(const std::string& folder, std::uint64_t rate_bytes_s, const std::string& more)
    : folder_(folder), port_(free_port()) {
    std::filesystem::create_directories(root());
    std::ofstream conf(folder_ + "/nginx.conf");
    conf << (geteuid() == 0 ? "user root;\n" : "") << "daemon off; master_process off;\n"
         << "pid " << folder_ << "/nginx.pid;\nerror_log " << folder_ << "/error.log;\n"
         << "events { worker_connections 64; }\nhttp {\n"
         << "log_format bytes '$status $body_bytes_sent';\n"
         << "access_log " << folder_ << "/access.log bytes;\nsendfile off;\n";
    for (const char* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"}) {
        conf << kind << "_temp_path " << folder_ << "/tmp_" << kind << ";\n";
    }
    conf << "server { listen 127.0.0.1:" << port_ << "; root " << root() << ";\n";
    if (rate_bytes_s > 0) conf << "limit_rate " << rate_bytes_s << ";\n";
    conf << more << "} }\n";
    conf.close();
    start();
}

void Origin::start() {
    pid_ = fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);  // a test that is killed leaves no server behind
        const std::string path = folder_ + "/nginx.conf";
        const std::string log = folder_ + "/error.log";
        execlp("nginx", "nginx", "-p", folder_.c_str(), "-e", log.c_str(), "-c", path.c_str(),
               nullptr);
        _exit(127);
    }
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!answers(port_)) {
        REQUIRE(std::chrono::steady_clock::now() < deadline);
        std::this_thread::yield();
    }
}

Origin::~Origin() {
    stop();
}

void Origin::stop() {
    if (pid_ <= 0) return;
    kill(pid_, SIGTERM);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
}

std::string Origin::url() const {
    return "http://127.0.0.1:" + std::to_string(port_) + "/";
}

std::uint64_t Origin::body_bytes() const {
    std::ifstream log(folder_ + "/access.log");
    std::uint64_t total = 0, bytes = 0;
    for (int status = 0; log >> status >> bytes;) total += bytes;
    return total;
}

std::size_t Origin::requests() const {
    std::ifstream log(folder_ + "/access.log");
    std::size_t count = 0;
    for (std::string line; std::getline(log, line);) count += !line.empty();
    return count;
}
