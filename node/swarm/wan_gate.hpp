#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "node/swarm/wan_hours.hpp"
#include "protocol/record.hpp"

namespace clarity {

/// What a node may pull from origins and when, as its configuration says.
struct WanPolicy {
    WanHours hours;
    TimeZone zone;                       ///< of the hours and of the budget's midnight
    std::uint64_t budget_bytes_day = 0;  ///< 0 = none
};

/// What must outlive the process of it.
struct WanLedger {
    bool paused = false;
    std::int64_t paused_until_unix_s = 0;  ///< 0 = until somebody resumes it
    std::int64_t day = 0;                  ///< local one that spent_bytes is of
    std::uint64_t spent_bytes = 0;
    bool operator==(const WanLedger&) const = default;
};

/// The ledger's file: JSON, written whole and synced. Blocking.
[[nodiscard]] Result<void> save_ledger(const std::string& path, const WanLedger& ledger);
/// Nothing there: a fresh one. A broken file is an error; the caller starts anew and says so.
[[nodiscard]] Result<WanLedger> load_ledger(const std::string& path);

/// May this node pull from origins now: not while an operator paused it, nor out of hours, nor
/// beyond the day's budget. Pure; time is an argument.
class WanGate {
  public:
    explicit WanGate(WanPolicy policy) : policy_(std::move(policy)) {}

    void set_ledger(const WanLedger& ledger) { ledger_ = ledger; }
    [[nodiscard]] const WanLedger& ledger() const { return ledger_; }

    /// `until_unix_s` 0 = until resume().
    void pause(std::int64_t until_unix_s);
    void resume();
    void spend(std::uint64_t bytes, std::int64_t now_unix_s);

    /// Its state and what it counted; `rate_bytes_s` is the caller's. A pause that is over and a
    /// day that is another are noticed here.
    [[nodiscard]] WanReport look(std::int64_t now_unix_s);
    /// What the budget leaves for today; nothing = as much as there is.
    [[nodiscard]] std::optional<std::uint64_t> left_bytes() const;
    /// Whether time alone may change its state.
    [[nodiscard]] bool is_timed() const;

  private:
    WanPolicy policy_;
    WanLedger ledger_;
    WanReport last_;  ///< its `until` is looked for only when it is over or the state another

    void turn_day(std::int64_t now_unix_s);
    [[nodiscard]] std::int64_t end_of(const std::string& state, std::int64_t now_unix_s) const;
};

}  // namespace clarity
