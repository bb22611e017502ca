#include "node/swarm/offenders.hpp"

#include <algorithm>

#include "node/swarm/session_settings.hpp"

namespace clarity::swarm {
namespace {

constexpr std::int64_t hour_ms = 3'600'000;
constexpr std::int64_t longest_ms = 24 * hour_ms;

}  // namespace

std::int64_t Offenders::note(const std::string& server_id, std::int64_t now_ms) {
    auto& row = rows_[server_id];
    const auto doublings = std::min<std::uint64_t>(row.times, 5);
    const auto barred_ms = std::min(longest_ms, hour_ms << doublings);
    ++row.times;
    row.until_ms = now_ms + barred_ms;
    return barred_ms;
}

bool Offenders::barred(const std::string& server_id, std::int64_t now_ms) const {
    const auto found = rows_.find(server_id);
    return found != rows_.end() && now_ms < found->second.until_ms;
}

std::map<std::string, std::uint64_t> Offenders::counts() const {
    std::map<std::string, std::uint64_t> out;
    for (const auto& [server, row] : rows_) out[server] = row.times;
    return out;
}

bool is_at(const std::string& endpoint, const std::string& address) {
    // Compared as numbers: IPv6 has many spellings for one address.
    const auto parsed = parse_endpoint(endpoint);
    boost::system::error_code error;
    const auto other = boost::asio::ip::make_address(address, error);
    return parsed && !error && parsed->address() == other;
}

}  // namespace clarity::swarm
