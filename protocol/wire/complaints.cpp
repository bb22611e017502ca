#include "protocol/wire/complaints.hpp"

#include "protocol/log/log.hpp"

namespace clarity::wire {
namespace {

constexpr auto once_in = std::chrono::minutes(1);
constexpr std::size_t lines_a_minute_max = 20;
constexpr std::size_t kinds_max = 1024;
/// Names are the owner's own (a roster's), so this many are never reached by a peer's doing.
constexpr std::size_t users_max = 65'536;

}  // namespace

void Complaints::say(Time now, std::string_view kind, const std::string& user,
                     const std::string& sentence) {
    const auto key = std::string(kind) + " " + user;
    auto at = said_.find(key);
    if (at == said_.end()) {
        if (said_.size() >= kinds_max) {
            std::erase_if(said_, [&](const auto& row) { return now - row.second.at >= once_in; });
        }
        if (said_.size() >= kinds_max) return;
        at = said_.emplace(key, Said{now - once_in, 0}).first;
    }
    auto& said = at->second;
    if (now - minute_ >= once_in) {
        minute_ = now;
        said_in_minute_ = 0;
    }
    if (now - said.at < once_in || said_in_minute_ >= lines_a_minute_max) {
        ++said.since;
        return;
    }
    if (said.since == 0) log::warning("{}", sentence);
    else log::warning("{} (and {} times since this was last said)", sentence, said.since);
    ++said_in_minute_;
    said = {now, 0};
}

Offences& Complaints::of(const std::string& user) {
    const auto at = offences_.find(user);
    if (at != offences_.end()) return at->second;
    return offences_[offences_.size() < users_max ? user : std::string("others")];
}

void Complaints::dropped(const std::string& user) {
    const std::lock_guard lock(mutex_);
    ++of(user).frames_dropped;
}

void Complaints::cut(const std::string& user) {
    const std::lock_guard lock(mutex_);
    ++of(user).connections_cut;
}

void Complaints::refused(const std::string& user) {
    const std::lock_guard lock(mutex_);
    ++of(user).handshakes_refused;
}

std::map<std::string, Offences> Complaints::offences() const {
    const std::lock_guard lock(mutex_);
    return offences_;
}

}  // namespace clarity::wire
