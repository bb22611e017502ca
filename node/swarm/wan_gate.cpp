#include "node/swarm/wan_gate.hpp"

#include <algorithm>

#include "protocol/json.hpp"
#include "storage/files.hpp"

namespace clarity {

namespace {
constexpr std::size_t file_max_bytes = 64U << 10;
}

Result<void> save_ledger(const std::string& path, const WanLedger& ledger) {
    const Json json{{"version", 1},
                    {"paused", ledger.paused},
                    {"paused_until", ledger.paused_until_unix_s},
                    {"day", ledger.day},
                    {"spent_bytes", ledger.spent_bytes}};
    return write_file_atomic(path, to_text(json), 0600);
}

Result<WanLedger> load_ledger(const std::string& path) {
    if (!file_exists(path)) return WanLedger{};
    CLARITY_TRY(const auto text, read_file(path, file_max_bytes));
    CLARITY_TRY(const auto json, parse_json(text));
    WanLedger out;
    CLARITY_TRY(out.paused, json_get<bool>(json, "paused"));
    out.paused_until_unix_s = json_or<std::int64_t>(json, "paused_until", 0);
    CLARITY_TRY(out.day, json_get<std::int64_t>(json, "day"));
    CLARITY_TRY(out.spent_bytes, json_get<std::uint64_t>(json, "spent_bytes"));
    return out;
}

void WanGate::pause(std::int64_t until_unix_s) {
    ledger_.paused = true;
    ledger_.paused_until_unix_s = until_unix_s;
    last_ = {};
}

void WanGate::resume() {
    ledger_.paused = false;
    ledger_.paused_until_unix_s = 0;
}

void WanGate::turn_day(std::int64_t now_unix_s) {
    const auto today = policy_.zone.local(now_unix_s).day;
    if (today == ledger_.day) return;
    ledger_.day = today;
    ledger_.spent_bytes = 0;
}

void WanGate::spend(std::uint64_t bytes, std::int64_t now_unix_s) {
    turn_day(now_unix_s);
    ledger_.spent_bytes += bytes;
}

std::optional<std::uint64_t> WanGate::left_bytes() const {
    const auto budget = policy_.budget_bytes_day;
    if (budget == 0) return std::nullopt;
    return budget - std::min(budget, ledger_.spent_bytes);
}

bool WanGate::is_timed() const {
    return !policy_.hours.always() || policy_.budget_bytes_day > 0 ||
           ledger_.paused_until_unix_s > 0;
}

/// 0 = not known.
std::int64_t WanGate::end_of(const std::string& state, std::int64_t now_unix_s) const {
    if (state == "paused") return ledger_.paused_until_unix_s;
    if (state == "closed") return policy_.hours.next_change(policy_.zone, now_unix_s).value_or(0);
    if (state == "spent") return next_midnight(policy_.zone, now_unix_s);
    return 0;
}

WanReport WanGate::look(std::int64_t now_unix_s) {
    turn_day(now_unix_s);
    if (ledger_.paused && ledger_.paused_until_unix_s > 0 &&
        now_unix_s >= ledger_.paused_until_unix_s) {
        resume();
    }
    WanReport out;
    out.spent_bytes = ledger_.spent_bytes;
    out.budget_bytes = policy_.budget_bytes_day;
    if (ledger_.paused) out.state = "paused";
    else if (!policy_.hours.open(policy_.zone, now_unix_s)) out.state = "closed";
    else if (left_bytes() == std::uint64_t{0}) out.state = "spent";
    const bool known = out.state == last_.state && last_.until_unix_ms > now_unix_s * 1000;
    out.until_unix_ms = known ? last_.until_unix_ms : end_of(out.state, now_unix_s) * 1000;
    last_ = out;
    return out;
}

}  // namespace clarity
