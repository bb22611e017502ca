#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <csignal>
#include <fstream>
#include <iostream>
#include <filesystem>
#include <sstream>
#include <thread>

#include "tests/protocol/wire/fixtures.hpp"

/// What the tests with hostile clients share: a victim in a process of its own (victim.cpp), an
/// honest member that measures how long answers take, and an attack's figures.
namespace clarity::test {

using Clock = std::chrono::steady_clock;
inline const wire::Greeting ours{.site = "acme/dc-1", .server = "s"};

/// With a sanitizer these tests look for its findings alone: memory and time are its own then.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool measures = false;
#else
inline constexpr bool measures = true;
#endif
inline constexpr long growth_max_kb = 48 << 10;
/// Two processes under attack on what may be two busy cores.
inline constexpr auto answer_max = std::chrono::seconds(5);

class VictimProcess {
  public:
    VictimProcess() {
        std::array<char, PATH_MAX> self{};
        REQUIRE(readlink("/proc/self/exe", self.data(), self.size() - 1) > 0);
        const std::string path(self.data());
        const auto program = path.substr(0, path.rfind('/')) + "/wire_victim";
        int to[2];
        int from[2];
        REQUIRE(pipe(to) == 0);
        REQUIRE(pipe(from) == 0);
        pid_ = fork();
        REQUIRE(pid_ >= 0);
        if (pid_ == 0) {
            dup2(to[0], STDIN_FILENO);
            dup2(from[1], STDOUT_FILENO);
            close(to[1]);
            close(from[0]);
            execl(program.c_str(), program.c_str(), nullptr);
            _exit(127);
        }
        close(to[0]);
        close(from[1]);
        in_ = to[1];
        out_ = from[0];
        std::istringstream first(line());
        std::string hex;
        first >> endpoint >> hex;
        REQUIRE_FALSE(hex.empty());
        key = CurveKey::from_hex(hex).value();
    }
    ~VictimProcess() {
        close(in_);
        close(out_);
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
    }
    VictimProcess(const VictimProcess&) = delete;
    VictimProcess& operator=(const VictimProcess&) = delete;

    std::map<std::string, long> tell(const std::string& command) {
        const auto text = command + "\n";
        REQUIRE(write(in_, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
        std::istringstream words(line());
        std::map<std::string, long> out;
        for (std::string word; words >> word;) {
            const auto equals = word.find('=');
            out[word.substr(0, equals)] = std::stol(word.substr(equals + 1));
        }
        return out;
    }
    std::map<std::string, long> stats() { return tell("stats"); }
    /// How often its threads gave up the processor by themselves: they were woken as often.
    long sleeps() const {
        long out = 0;
        const auto folder = "/proc/" + std::to_string(pid_) + "/task";
        for (const auto& task : std::filesystem::directory_iterator(folder)) {
            std::ifstream file(task.path() / "status");
            for (std::string text; std::getline(file, text);) {
                if (text.starts_with("voluntary_ctxt")) out += std::stol(text.substr(24));
            }
        }
        return out;
    }

    std::string endpoint;
    CurveKey key;

  private:
    pid_t pid_ = -1;
    int in_ = -1;
    int out_ = -1;
    std::string rest_;

    std::string line() {
        for (;;) {
            if (const auto end = rest_.find('\n'); end != std::string::npos) {
                auto out = rest_.substr(0, end);
                rest_.erase(0, end + 1);
                return out;
            }
            char buffer[4096];
            const auto got = read(out_, buffer, sizeof buffer);
            REQUIRE(got > 0);
            rest_.append(buffer, static_cast<std::size_t>(got));
        }
    }
};

/// A member that does its duty: asks for an echo, waits for it, asks again.
class Honest {
  public:
    explicit Honest(const VictimProcess& victim) {
        wire::Settings settings;
        settings.secret = key.curve_secret();
        settings.post = [](const std::function<void()>& f) { f(); };
        net_ = *wire::Wire::start(std::move(settings));
        net_->connect({"victim",
                       victim.endpoint,
                       victim.key,
                       [this](const Bytes&) {
                           const std::lock_guard lock(mutex_);
                           slowest_ = std::max(slowest_, Clock::now() - asked_);
                           ++answers_;
                           answered_ = true;
                       },
                       {},
                       0,
                       ours});
        thread_ = std::thread([this] { run(); });
    }
    ~Honest() {
        stop_ = true;
        thread_.join();
        net_.reset();
    }
    Honest(const Honest&) = delete;
    Honest& operator=(const Honest&) = delete;

    std::size_t answers() const {
        const std::lock_guard lock(mutex_);
        return answers_;
    }
    bool is_answered_within(std::size_t answers, std::chrono::seconds most) const {
        const auto deadline = Clock::now() + most;
        while (this->answers() < answers) {
            if (Clock::now() > deadline) return false;
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        return true;
    }
    /// The longest wait so far, one that still lasts included.
    Clock::duration slowest() const {
        const std::lock_guard lock(mutex_);
        return answered_ ? slowest_ : std::max(slowest_, Clock::now() - asked_);
    }
    void forget() {
        const std::lock_guard lock(mutex_);
        slowest_ = {};
    }
    SigningKey key = SigningKey::generate();

  private:
    mutable std::mutex mutex_;
    Clock::time_point asked_{};
    Clock::duration slowest_{};
    bool answered_ = true;
    std::size_t answers_ = 0;
    std::atomic<bool> stop_ = false;
    std::unique_ptr<wire::Wire> net_;
    std::thread thread_;

    void run() {
        while (!stop_) {
            bool ask = false;
            {
                const std::lock_guard lock(mutex_);
                // A frame may be lost where connections are cut; a lost second counts as waited.
                ask = answered_ || (Clock::now() - asked_) > std::chrono::seconds(1);
                if (answered_) asked_ = Clock::now();
                answered_ = false;
            }
            if (ask) net_->send("victim", "me");
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
    }
};

/// What every attack is measured by.
struct Scene {
    Scene() : honest(victim) {
        victim.tell("allow honest " + curve_public(honest.key.public_key())->hex() + " hostile " +
                    curve_public(hostile.public_key())->hex());
        REQUIRE(honest.is_answered_within(20, std::chrono::seconds(20)));
        honest.forget();
        before = victim.tell("mark");
        answers_before = honest.answers();
    }
    zmq::socket_t dealer() {
        zmq::socket_t out(context, zmq::socket_type::dealer);
        const auto own = *curve_public(hostile.public_key());
        const auto secret = hostile.curve_secret();
        out.set(zmq::sockopt::curve_serverkey, zmq::buffer(victim.key.data));
        out.set(zmq::sockopt::curve_publickey, zmq::buffer(own.data));
        out.set(zmq::sockopt::curve_secretkey, zmq::buffer(secret.data));
        out.set(zmq::sockopt::linger, 0);
        out.set(zmq::sockopt::sndtimeo, 100);
        out.set(zmq::sockopt::reconnect_ivl, 50);
        out.connect(victim.endpoint);
        return out;
    }
    zmq::socket_t greeted() {
        auto out = dealer();
        out.send(zmq::buffer(ours.encode()), zmq::send_flags::none);
        return out;
    }
    /// Keeps the victim's loop busy most of the time until `done` with its figures, 20 s at most.
    void keep_busy(int ms, const std::function<bool(std::map<std::string, long>&)>& done) {
        const auto deadline = Clock::now() + std::chrono::seconds(20);
        do {
            auto now = victim.tell("block " + std::to_string(ms));
            if (done(now)) return;
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
        } while (Clock::now() < deadline);
    }
    /// The honest member is answered all the same.
    void check_honest() {
        CHECK(honest.is_answered_within(honest.answers() + 20, std::chrono::seconds(30)));
    }
    std::map<std::string, long> check() {
        check_honest();
        auto after = victim.stats();
        const auto slowest =
            std::chrono::duration_cast<std::chrono::milliseconds>(honest.slowest()).count();
        const auto answers = honest.answers() - answers_before;
        std::cout << "FIGURE: grew " << (after["peak"] - before["resident"]) << " kB, " << answers
                  << " answers to the honest member, slowest " << slowest << " ms; cut "
                  << after["cut.hostile"] << ", dropped " << after["dropped.hostile"]
                  << ", refused " << after["refused.hostile"] << std::endl;
        CHECK(after["cut.honest"] == 0);
        if (!measures) return after;
        CHECK(after["peak"] - before["resident"] < growth_max_kb);
        CHECK(honest.slowest() < answer_max);
        CHECK(after["dropped.honest"] == 0);
        return after;
    }
    VictimProcess victim;
    Honest honest;
    SigningKey hostile = SigningKey::generate();
    zmq::context_t context;
    std::map<std::string, long> before;
    std::size_t answers_before = 0;
};

}  // namespace clarity::test
