#pragma once

#include <map>
#include <string>
#include <string_view>

#include "protocol/bytes.hpp"

namespace clarity::coordinator {

/// Checks bearer tokens of the API and cuts off whoever guesses. Only the token's hash is held;
/// time is an argument. A good token is always let in, so that nobody is locked out by another's
/// guesses from the same address; bad ones over the limit are refused without work or a log line.
/// Loop thread only.
class Auth {
  public:
    static constexpr int failures_max = 10;            ///< per address …
    static constexpr std::int64_t window_ms = 60'000;  ///< … in this time, then 429
    static constexpr std::size_t addresses_max = 10'000;

    explicit Auth(std::string_view admin_token);

    /// Constant-time comparison of hashes.
    [[nodiscard]] bool is_admin(std::string_view token) const;
    /// True while this address has failed too often.
    [[nodiscard]] bool is_blocked(const std::string& address, std::int64_t now_ms) const;
    void note_failure(const std::string& address, std::int64_t now_ms);

  private:
    struct Failures {
        std::int64_t since_ms = 0;
        int count = 0;
    };
    Digest admin_hash_;
    std::map<std::string, Failures> failures_;
};

}  // namespace clarity::coordinator
