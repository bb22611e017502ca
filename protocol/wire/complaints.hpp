#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <string>

#include "protocol/wire/wire.hpp"

namespace clarity::wire {

/// What peers did wrong: counted by name, and said in the log at most once a minute for each name
/// and kind, so that no peer can fill it. The counts may be read from any thread.
class Complaints {
  public:
    using Time = std::chrono::steady_clock::time_point;

    /// A warning; `kind` and `user` together are what is not repeated within a minute.
    void say(Time now, std::string_view kind, const std::string& user, const std::string& sentence);

    void dropped(const std::string& user);
    void cut(const std::string& user);
    void refused(const std::string& user);
    [[nodiscard]] std::map<std::string, Offences> offences() const;

  private:
    struct Said {
        Time at{};
        std::size_t since = 0;
    };
    std::map<std::string, Said> said_;  ///< network thread only
    Time minute_{};
    std::size_t said_in_minute_ = 0;
    mutable std::mutex mutex_;
    std::map<std::string, Offences> offences_;
    Offences& of(const std::string& user);
};

}  // namespace clarity::wire
