#include "coordinator/auth.hpp"

#include "protocol/keys.hpp"
#include "protocol/sha256.hpp"

namespace clarity::coordinator {

Auth::Auth(std::string_view admin_token) : admin_hash_(sha256(admin_token)) {}

bool Auth::is_admin(std::string_view token) const {
    return !token.empty() && equal_secret(sha256(token).view(), admin_hash_.view());
}

bool Auth::is_blocked(const std::string& address, std::int64_t now_ms) const {
    const auto at = failures_.find(address);
    return at != failures_.end() && at->second.count >= failures_max &&
           now_ms - at->second.since_ms < window_ms;
}

void Auth::note_failure(const std::string& address, std::int64_t now_ms) {
    if (failures_.size() >= addresses_max) {
        std::erase_if(failures_,
                      [&](const auto& row) { return now_ms - row.second.since_ms >= window_ms; });
        // A flood from everywhere: forgetting is better than growing.
        if (failures_.size() >= addresses_max) failures_.clear();
    }
    auto& row = failures_[address];
    if (now_ms - row.since_ms >= window_ms) row = Failures{now_ms, 0};
    ++row.count;
}

}  // namespace clarity::coordinator
