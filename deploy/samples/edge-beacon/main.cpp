// The sample inventory's binary service: a web server of one page, as small as a service can be
// and still show what a deployment does. It reads `key = value` lines from the file named by its
// first argument (deployed from a template): listen, port, greeting, datacenter. The environment
// must hold BEACON_TOKEN (deployed from a secret); the page says that it is set, never what it is.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>

namespace {

std::map<std::string, std::string> read_settings(const char* path) {
    std::map<std::string, std::string> out;
    std::ifstream file(path);
    std::string line;
    while (std::getline(file, line)) {
        const auto equals = line.find('=');
        if (line.empty() || line[0] == '#' || equals == std::string::npos) continue;
        const auto trim = [](std::string text) {
            const auto first = text.find_first_not_of(" \t");
            const auto last = text.find_last_not_of(" \t\r");
            return first == std::string::npos ? std::string()
                                              : text.substr(first, last - first + 1);
        };
        out[trim(line.substr(0, equals))] = trim(line.substr(equals + 1));
    }
    return out;
}

int listen_on(const std::string& address, int port) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(static_cast<std::uint16_t>(port));
    if (inet_pton(AF_INET, address.c_str(), &where.sin_addr) != 1 ||
        bind(fd, reinterpret_cast<sockaddr*>(&where), sizeof where) != 0 || listen(fd, 64) != 0) {
        std::fprintf(stderr, "edge-beacon: cannot listen on %s:%d\n", address.c_str(), port);
        std::exit(1);
    }
    return fd;
}

void answer(int client, const std::string& body) {
    const timeval patience{2, 0};
    setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    char request[2048];
    if (read(client, request, sizeof request) > 0) {
        const std::string text =
            "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\nContent-Length: " +
            std::to_string(body.size()) + "\r\n\r\n" + body;
        [[maybe_unused]] const auto written = write(client, text.data(), text.size());
    }
    close(client);
}

}  // namespace

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);
    if (argc != 2) {
        std::fprintf(stderr, "usage: edge-beacon SETTINGS-FILE\n");
        return 2;
    }
    auto settings = read_settings(argv[1]);
    const char* token = std::getenv("BEACON_TOKEN");
    if (settings["listen"].empty() || settings["port"].empty() || token == nullptr) {
        std::fprintf(stderr, "edge-beacon: needs listen and port in %s, and BEACON_TOKEN\n",
                     argv[1]);
        return 1;
    }
    const int server = listen_on(settings["listen"], std::atoi(settings["port"].c_str()));
    const std::string body = "{\"greeting\":\"" + settings["greeting"] + "\",\"datacenter\":\"" +
                             settings["datacenter"] + "\",\"token\":\"set\"}\n";
    std::printf("edge-beacon: listening on %s:%s\n", settings["listen"].c_str(),
                settings["port"].c_str());
    std::fflush(stdout);
    while (true) {
        const int client = accept(server, nullptr, nullptr);
        if (client >= 0) answer(client, body);
    }
}
