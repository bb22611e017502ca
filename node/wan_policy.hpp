#pragma once

#include <string>

#include "node/config.hpp"
#include "node/swarm/wan_gate.hpp"

namespace clarity {

/// A place of the system's time zone database ("Europe/Berlin"), or "UTC", which needs none. Reads
/// a file of `folder`. Errors: invalid (no such name), with what to do.
[[nodiscard]] Result<TimeZone> load_time_zone(const std::string& name,
                                              const std::string& folder = "/usr/share/zoneinfo");

/// When this node may pull from origins, from `wan` in agent.yml.
[[nodiscard]] Result<WanPolicy> wan_policy_of(const AgentConfig& config);

/// Carries out the commands "wan-pause" (argument: until, Unix seconds; empty = for good) and
/// "wan-resume" of a coordinator; false when it is another. `swarm` is Swarm, or a stand-in.
template <class Swarm, class Done>
bool act_on_wan(Swarm& swarm, const std::string& action, const std::string& argument, Done done) {
    if (action != "wan-pause" && action != "wan-resume") return false;
    const bool pauses = action == "wan-pause";
    std::int64_t until = 0;
    for (const char each : pauses ? argument.substr(0, 12) : std::string()) {
        until = each >= '0' && each <= '9' ? until * 10 + (each - '0') : -1;
        if (until < 0) break;
    }
    if (until < 0) {
        done(fail(Errc::invalid, "wan-pause: \"{}\" is no time", argument));
        return true;
    }
    auto answer = [pauses, done = std::move(done)](const Result<void>& kept) {
        if (!kept)
            return done(fail(kept.error().code, "done, but not kept: {}", kept.error().message));
        done(std::string(pauses ? "paused" : "resumed"));
    };
    if (pauses) swarm.pause_wan(until, std::move(answer));
    else swarm.resume_wan(std::move(answer));
    return true;
}

}  // namespace clarity
