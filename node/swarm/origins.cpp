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
    const auto bound = passing ? 8 * repositories_.size() : repositories_.size();
    if (failures_ >= bound) return {error, 0};
    turn();
    const auto doubled = settings_.retry_min_ms << std::min<std::uint32_t>(failures_ - 1, 10);
    const auto cap = std::min(doubled, settings_.retry_max_ms);
    std::minstd_rand random(static_cast<std::uint32_t>(seed_ + failures_ * 7919));
    return {std::nullopt, std::uniform_int_distribution<std::int64_t>(cap / 2, cap)(random)};
}

bool Origins::ranges_ignored() const {
    const std::lock_guard lock(mutex_);
    return ranges_ignored_;
}

void Origins::set_ranges_ignored() {
    const std::lock_guard lock(mutex_);
    ranges_ignored_ = true;
}

}  // namespace clarity::swarm
