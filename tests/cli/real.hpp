#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/cli/person.hpp"

namespace clarity::test {

/// A TCP port of 127.0.0.1 that nobody uses at the moment.
[[nodiscard]] int free_port();

/// A program that runs until it is stopped; what it says goes to a file.
class Daemon {
  public:
    Daemon() = default;
    ~Daemon() { stop(); }
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;

    void start(const std::string& program, const std::vector<std::string>& arguments,
               const std::string& log);
    /// SIGTERM, then waits; what was not stopped is killed by the destructor too.
    void stop();
    [[nodiscard]] bool running() const { return child_ > 0; }
    /// Whether `text` is in its log within the deadline.
    [[nodiscard]] bool says(const std::string& text, int deadline_ms = 20'000) const;
    [[nodiscard]] std::string log() const;

  private:
    int child_ = -1;
    std::string log_path_;
};

/// The real coordinator, on ports that stay the same when it starts again.
class RealCoordinator {
  public:
    RealCoordinator();
    void start();
    void stop() { daemon_.stop(); }
    [[nodiscard]] std::string url() const;
    [[nodiscard]] std::string token_file() const { return folder_.path() + "/state/admin.token"; }
    [[nodiscard]] std::string config() const { return folder_.path() + "/c.yml"; }
    [[nodiscard]] std::string log() const { return daemon_.log(); }

  private:
    TempFolder folder_;
    int rest_ = free_port();
    int control_ = free_port();
    Daemon daemon_;
};

/// A real agent on loopback.
class RealAgent {
  public:
    RealAgent(const std::string& coordinator_url, const std::string& server,
              const std::string& join_token);
    void start();
    /// With a state folder of its own on a file system of that size ("8m"), gone when it stops.
    void start_on_small_disk(const std::string& size);
    void stop() { daemon_.stop(); }
    [[nodiscard]] std::string socket() const { return folder_.path() + "/run/query.sock"; }
    [[nodiscard]] std::string config() const { return folder_.path() + "/agent.yml"; }
    [[nodiscard]] std::string folder() const { return folder_.path(); }
    [[nodiscard]] bool says(const std::string& text) const { return daemon_.says(text); }
    [[nodiscard]] std::string log() const { return daemon_.log(); }

  private:
    TempFolder folder_;
    Daemon daemon_;
};

/// The text of agent.yml for free ports of this host; `extra` is appended.
[[nodiscard]] std::string agent_config(const std::string& folder, const std::string& coordinator,
                                       const std::string& server, const std::string& join_token);

/// Writes an inventory with one server, "edge-1" of acme/dc-1, which runs app@1.0.0 out of a
/// repository at that URL, by default one that nobody serves.
void write_inventory(const std::string& folder,
                     const std::string& repository = "http://127.0.0.1:1/files");

/// Expects that exit code, shows what was said where it differs.
Finished expect(const Person& person, int code, const std::vector<std::string>& arguments);

}  // namespace clarity::test
