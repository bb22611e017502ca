// A server for hostile clients, in a process of its own so that its memory can be measured:
// wire_victim, told by lines on stdin, answering with lines on stdout.
//   allow NAME KEYHEX …   who may come in
//   mark                  the memory's peak counts from now on
//   stats                 key=value …: resident, peak (kB), counters, frames heard and offences
//   block MS              its loop stands still for so long
// Frames: "me…" is echoed; "mb N" is answered with N frames of 64 KiB.
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdio>
#include <deque>
#include <fstream>
#include <iostream>
#include <map>
#include <mutex>
#include <sstream>
#include <thread>

#include "protocol/keys.hpp"
#include "protocol/log/log.hpp"
#include "protocol/wire/wire.hpp"

using namespace clarity;

namespace {

constexpr std::size_t part_bytes = 64U << 10;

/// A line of /proc/self/status in kB.
long status_kb(const std::string& name) {
    std::ifstream file("/proc/self/status");
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with(name + ":")) return std::stol(line.substr(name.size() + 1));
    }
    return -1;
}

class Victim {
  public:
    int run() {
        wire::Settings settings;
        settings.secret = key_.curve_secret();
        settings.post = [this](std::function<void()> f) {
            const std::lock_guard lock(mutex_);
            queue_.push_back(std::move(f));
            const std::uint64_t one = 1;
            [[maybe_unused]] const auto written = write(wake_, &one, sizeof one);
        };
        settings.limits.stalled_ms = 3000;
        settings.limits.first_frame_ms = 3000;
        auto started = wire::Wire::start(std::move(settings));
        if (!started) return fail_with(started.error());
        net_ = std::move(*started);
        auto bound = net_->listen({"tcp://127.0.0.1:0",
                                   "victim",
                                   true,
                                   0,
                                   [this](const std::string& user, const wire::Handle& from,
                                          const Bytes& frame) { heard(user, from, frame); },
                                   {},
                                   {.site = "acme/dc-1", .server = "victim"},
                                   "q"});
        if (!bound) return fail_with(bound.error());
        listener_ = bound->id;
        std::cout << bound->endpoint << " " << curve_public(key_.public_key())->hex() << std::endl;
        loop();
        net_.reset();
        return 0;
    }

  private:
    SigningKey key_ = SigningKey::generate();
    std::mutex mutex_;
    std::deque<std::function<void()>> queue_;
    int wake_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    std::uint32_t listener_ = 0;
    std::map<std::string, std::uint64_t> heard_;
    std::unique_ptr<wire::Wire> net_;

    static int fail_with(const Error& error) {
        std::cerr << error.message << std::endl;
        return 1;
    }
    void heard(const std::string& user, const wire::Handle& from, const Bytes& frame) {
        ++heard_[user];
        if (frame.starts_with("me") || frame.starts_with("q")) {
            net_->reply(from, frame);
        } else if (frame.starts_with("mb ")) {
            for (int left = std::stoi(frame.substr(3)); left > 0; --left) {
                net_->reply(from, Bytes(part_bytes, 'x'));
            }
        }
    }
    void loop() {
        std::string input;
        for (;;) {
            pollfd fds[] = {{STDIN_FILENO, POLLIN, 0}, {wake_, POLLIN, 0}};
            poll(fds, 2, -1);
            if (fds[1].revents != 0) run_queue();
            if (fds[0].revents == 0) continue;
            char buffer[4096];
            const auto got = read(STDIN_FILENO, buffer, sizeof buffer);
            if (got <= 0) return;
            input.append(buffer, static_cast<std::size_t>(got));
            for (auto end = input.find('\n'); end != std::string::npos; end = input.find('\n')) {
                obey(input.substr(0, end));
                input.erase(0, end + 1);
            }
        }
    }
    void run_queue() {
        std::uint64_t drained = 0;
        [[maybe_unused]] const auto got = read(wake_, &drained, sizeof drained);
        std::deque<std::function<void()>> taken;
        {
            const std::lock_guard lock(mutex_);
            taken.swap(queue_);
        }
        for (auto& each : taken) each();
    }
    void obey(const std::string& line) {
        std::istringstream words(line);
        std::string word;
        words >> word;
        if (word == "allow") {
            std::map<CurveKey, std::string> users;
            for (std::string name, hex; words >> name >> hex;) {
                users[CurveKey::from_hex(hex).value()] = name;
            }
            net_->set_authorised(listener_, users);
        } else if (word == "mark") {
            std::ofstream("/proc/self/clear_refs") << "5";
        } else if (word == "block") {
            int ms = 0;
            words >> ms;
            std::this_thread::sleep_for(std::chrono::milliseconds(ms));
        }
        tell();
    }
    void tell() {
        const auto& counters = net_->counters();
        std::cout << "resident=" << status_kb("VmRSS") << " peak=" << status_kb("VmHWM")
                  << " cut=" << counters.connections_cut << " floods=" << counters.floods
                  << " full=" << counters.dropped_full << " slow=" << counters.dropped_slow
                  << " malformed=" << counters.dropped_malformed
                  << " limited=" << counters.handshakes_limited
                  << " greetings=" << counters.greetings_refused;
        for (const auto& [user, count] : heard_) std::cout << " heard." << user << "=" << count;
        for (const auto& [user, each] : net_->offences()) {
            std::cout << " dropped." << user << "=" << each.frames_dropped << " cut." << user << "="
                      << each.connections_cut << " refused." << user << "="
                      << each.handshakes_refused;
        }
        std::cout << std::endl;
    }
};

}  // namespace

int main() {
    log::start({.program = "wire_victim"});
    return Victim().run();
}
