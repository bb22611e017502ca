#pragma once

#include <string>

#include "node/drivers/driver.hpp"

namespace clarity {

/// One look at a service that was just started.
struct WatchSample {
    Observation seen;
    bool checks_pass = true;  ///< port and HTTP, where the plan asks for them
    std::string check_detail;
};

enum class WatchVerdict { pending, good, bad };

/// Judges a start: good when it ran for stable_s without a restart and the checks pass, bad when it
/// ended for good or timeout_s passed. Pure.
class StartWatcher {
  public:
    StartWatcher(StartWatch watch, RestartPolicy restart, std::int64_t now_ms)
        : watch_(std::move(watch)), restart_(restart), begun_ms_(now_ms) {}

    [[nodiscard]] WatchVerdict look(std::int64_t now_ms, const WatchSample& sample);
    /// One line: why it is bad, or what is waited for.
    [[nodiscard]] const std::string& detail() const { return detail_; }

  private:
    StartWatch watch_;
    RestartPolicy restart_;
    std::int64_t begun_ms_;
    std::int64_t stable_since_ms_ = -1;
    std::uint32_t restarts_ = 0;
    std::string detail_;
};

/// Whether a service of this policy should run again after it ended so.
[[nodiscard]] bool should_restart(RestartPolicy policy, int exit_code);

/// The plan's checks, made now (blocking, at most `timeout_ms` each); empty = they pass.
[[nodiscard]] std::string run_checks(const StartWatch& watch, int timeout_ms);

}  // namespace clarity
