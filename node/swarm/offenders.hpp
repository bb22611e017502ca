#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace clarity::swarm {

/// Members that sent wrong pieces: shut out for an hour, and twice as long each time again, up to a
/// day. A plain value; times are steady milliseconds. Not kept over a restart: a broken disk may
/// have been mended meanwhile, and an evil one costs another few pieces.
class Offenders {
  public:
    /// For how long it is shut out from now on.
    std::int64_t note(const std::string& server_id, std::int64_t now_ms);
    [[nodiscard]] bool barred(const std::string& server_id, std::int64_t now_ms) const;
    /// How often each was caught, for the metrics.
    [[nodiscard]] std::map<std::string, std::uint64_t> counts() const;
    [[nodiscard]] bool empty() const { return rows_.empty(); }

  private:
    struct Row {
        std::uint64_t times = 0;
        std::int64_t until_ms = 0;
    };
    std::map<std::string, Row> rows_;  ///< no more than the roster has members
};

/// Whether an endpoint ("10.0.0.1:8473", "[fd00::1]:8473") is at that address ("fd00::1").
[[nodiscard]] bool is_at(const std::string& endpoint, const std::string& address);

}  // namespace clarity::swarm
