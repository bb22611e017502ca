#pragma once

#include <chrono>
#include <deque>
#include <map>

#include "protocol/bytes.hpp"

namespace clarity::wire {

/// Decides which handshakes of known keys go on: a budget a key (token bucket), a bound on proven
/// connections that have not said anything yet, and a while outside for who flooded. Pure: `now` is
/// an argument.
class Admission {
  public:
    using Time = std::chrono::steady_clock::time_point;
    struct Limits {
        double handshakes_per_s = 2;
        double handshakes_burst = 16;
        std::size_t silent_max = 8;                    ///< proven, nothing heard from them yet
        std::chrono::milliseconds silent_for{10'000};  ///< then somebody else has cut them
    };
    explicit Admission(Limits limits) : limits_(limits) {}

    /// May a connection that proved this key come in? Counts it if so.
    [[nodiscard]] bool admit(const Bytes& key, Time now);
    /// A connection of this key was heard for the first time.
    void heard(const Bytes& key);
    /// Nobody with this key comes in until then.
    void bar(const Bytes& key, Time until);
    [[nodiscard]] std::size_t size() const { return rows_.size(); }

  private:
    struct Row {
        double tokens = 0;
        Time at{};
        Time barred_until{};
        std::deque<Time> silent;
    };
    Limits limits_;
    std::map<Bytes, Row> rows_;
    Row& row(const Bytes& key, Time now);
    void forget_idle(Time now);
};

}  // namespace clarity::wire
