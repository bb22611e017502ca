#pragma once

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>

#include "protocol/http/client.hpp"
#include "storage/files.hpp"
#include "tests/storage/repositories/odd_server.hpp"
#include "tests/storage/temp_dir.hpp"

namespace clarity::test {

/// Debian's nginx on free loopback ports, http and https, serving a folder of its own.
/// `usable()` is false, with one line on stderr, where there is no nginx.
class Nginx {
  public:
    Nginx() {
        ::close(bind_loopback(http_port_));
        ::close(bind_loopback(https_port_));
        if (!make_dirs(dir_ / "www") || !make_certificates() ||
            !write_file_atomic(dir_ / "nginx.conf", configuration())) {
            return;
        }
        const std::string config = dir_ / "nginx.conf";
        const std::string prefix = dir_.path();
        const char* const argv[] = {"nginx", "-p", prefix.c_str(), "-c", config.c_str(), nullptr};
        if (::posix_spawnp(&pid_, "/usr/sbin/nginx", nullptr, nullptr,
                           const_cast<char* const*>(argv), environ) != 0) {
            pid_ = -1;
            std::fputs("left out: /usr/sbin/nginx is not installed\n", stderr);
            return;
        }
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        while (!usable_ && std::chrono::steady_clock::now() < deadline) {
            HttpRequest request;
            request.url = url() + "/";
            usable_ = http_request(request).has_value();
            if (!usable_) std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
    }
    ~Nginx() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGTERM);
        ::waitpid(pid_, nullptr, 0);
    }
    Nginx(const Nginx&) = delete;
    Nginx& operator=(const Nginx&) = delete;

    [[nodiscard]] bool usable() const { return usable_; }
    [[nodiscard]] std::string url() const {
        return "http://127.0.0.1:" + std::to_string(http_port_);
    }
    [[nodiscard]] std::string secure_url(const std::string& host = "localhost") const {
        return "https://" + host + ":" + std::to_string(https_port_);
    }
    [[nodiscard]] std::string file(const std::string& name) const { return dir_ / ("www/" + name); }
    [[nodiscard]] std::string pem(const std::string& name) const {
        return read_file(dir_ / name, 1 << 16).value();
    }

  private:
    /// A CA, a server certificate for "localhost" from it, and a stranger's CA.
    bool make_certificates() {
        const std::string script =
            "cd '" + dir_.path() +
            "' && exec >/dev/null 2>&1 && umask 077 &&"
            " for ca in ca stranger; do openssl req -x509 -newkey ed25519 -nodes -days 2"
            " -keyout $ca.key -out $ca.pem -subj /CN=$ca; done &&"
            " openssl req -newkey ed25519 -nodes -keyout server.key -out server.csr"
            " -subj /CN=localhost &&"
            " printf 'subjectAltName=DNS:localhost' > ext &&"
            " openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -days 2 -extfile ext"
            " -out server.pem && cat server.pem ca.pem > chain.pem";
        return std::system(script.c_str()) == 0;  // NOLINT: a fixed script in a test
    }

    [[nodiscard]] std::string configuration() const {
        const std::string d = dir_.path();
        return "daemon off; master_process off; pid " + d + "/pid; error_log " + d +
               "/error.log;\nevents { worker_connections 64; }\nhttp { access_log off;"
               " client_body_temp_path " +
               d + "/b; proxy_temp_path " + d +
               "/p;"
               " fastcgi_temp_path " +
               d + "/f; uwsgi_temp_path " + d +
               "/u;"
               " scgi_temp_path " +
               d + "/s;\nserver { listen 127.0.0.1:" + std::to_string(http_port_) +
               "; listen 127.0.0.1:" + std::to_string(https_port_) + " ssl; ssl_certificate " + d +
               "/chain.pem; ssl_certificate_key " + d + "/server.key; root " + d +
               "/www; autoindex on;\n"
               " location /moved/ { return 302 /; }\n"
               " location /circle/ { return 302 /circle/; }\n"
               " location /private/ { if ($http_authorization != \"Bearer right\")"
               " { return 401; } alias " +
               d +
               "/www/; }\n"
               " location /basic/ { if ($http_authorization != \"Basic dXNlcjpwYXNz\")"
               " { return 403; } alias " +
               d +
               "/www/; }\n"
               " location /noranges/ { max_ranges 0; alias " +
               d +
               "/www/; }\n"
               " } }\n";
    }

    TempDir dir_;
    int http_port_ = 0;
    int https_port_ = 0;
    pid_t pid_ = -1;
    bool usable_ = false;
};

}  // namespace clarity::test
