#include "node/swarm/origins.hpp"

#include <algorithm>
#include <random>

namespace clarity::swarm {

Result<void> Origins::open(const std::vector<FetchSource>& sources) {
    std::optional<Error> error;
    for (const auto& source : sources) {
        auto repository = make_repository(source.access);
        if (!repository) {
            error = std::move(repository).error();
            continue;
        }
        repositories_.push_back(std::move(*repository));
        paths_.push_back(source.path);
    }
    if (!repositories_.empty()) return {};
    if (error) return tl::unexpected<Error>(std::move(*error).within(what_));
    return fail(Errc::unavailable, "{}: no repository of this server has it", what_);
}

Origins::Reading Origins::current() const {
    const std::lock_guard lock(mutex_);
    return {repositories_[source_].get(), paths_[source_], etag_, source_};
}

bool Origins::is_current(std::size_t source) const {
    const std::lock_guard lock(mutex_);
    return source == source_;
}

void Origins::bytes_came() {
    const std::lock_guard lock(mutex_);
    failures_ = 0;
    bytes_came_ = true;
}

void Origins::answered(const Reading& reading, const std::string& etag) {
    const std::lock_guard lock(mutex_);
    if (reading.source == source_) etag_ = etag;
}

/// On to the next source; each byte of a piece comes from one, so that it can be blamed.
void Origins::turn() {
    if (repositories_.size() < 2) return;
    source_ = (source_ + 1) % repositories_.size();
    etag_.clear();
}

Error Origins::blame(const Reading& reading, const std::string& what_bytes) {
    const std::lock_guard lock(mutex_);
    ++wrong_;
    wrong_error_ =
        Error{Errc::invalid,
              fmt::format("{}: {} from repository {} ({}) is not what the publisher signed: "
                          "refused, offered to nobody; publish the file again or correct it there",
                          what_, what_bytes, reading.repository->id(), reading.path)};
    if (reading.source == source_) turn();
    return *wrong_error_;
}

std::optional<Error> Origins::spoilt() const {
    const std::lock_guard lock(mutex_);
    return wrong_ >= settings_.wrong_max ? wrong_error_ : std::nullopt;
}

Origins::Verdict Origins::failed(const Error& error) {
    const std::lock_guard lock(mutex_);
    const bool passing = error.code == Errc::network || error.code == Errc::timeout;
    if (error.code == Errc::conflict) etag_.clear();
    ++failures_;
    // The attempt that brought bytes does not count: a cut connection is no lack of a route.
    if (passing && bytes_came_) failures_ = 0;
    const bool out_of_reach = passing && failures_ >= repositories_.size();
    bytes_came_ = false;
    const auto bound = passing ? 8 * repositories_.size() : repositories_.size();
    if (failures_ >= bound) return {error, out_of_reach, 0};
    turn();
    const auto doublings = std::min<std::uint32_t>(failures_ > 0 ? failures_ - 1 : 0, 10);
    const auto cap = std::min(settings_.retry_min_ms << doublings, settings_.retry_max_ms);
    std::minstd_rand random(static_cast<std::uint32_t>(seed_ + failures_ * 7919));
    return {std::nullopt, out_of_reach,
            std::uniform_int_distribution<std::int64_t>(cap / 2, cap)(random)};
}

std::uint32_t Origins::stall_s() const {
    return repositories_.size() > 1 ? settings_.stall_turn_s : settings_.stall_s;
}

bool Origins::ranges_ignored() const {
    const std::lock_guard lock(mutex_);
    return ranges_ignored_.contains(source_);
}

void Origins::set_ranges_ignored() {
    const std::lock_guard lock(mutex_);
    ranges_ignored_.insert(source_);
    for (std::size_t i = 1; i < repositories_.size(); ++i) {
        const auto other = (source_ + i) % repositories_.size();
        if (ranges_ignored_.contains(other)) continue;
        source_ = other;
        etag_.clear();
        return;
    }
}

}  // namespace clarity::swarm
