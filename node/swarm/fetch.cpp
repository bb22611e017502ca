#include "node/swarm/fetch.hpp"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <random>

#include "protocol/log/log.hpp"
#include "protocol/merkle.hpp"

namespace clarity::swarm {

namespace {

constexpr std::int64_t site_age_max_ms = 300;
constexpr std::int64_t poll_ms = 100;
constexpr std::int64_t landing_max_ms = 30000;  ///< a piece not on disk by then is asked for again

std::int64_t now_us() {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}
std::int64_t now_ms() {
    return now_us() / 1000;
}

/// Sleeps; false when asked to stop.
bool pause_us(std::int64_t time_us, const std::stop_token& stop) {
    if (time_us <= 0) return !stop.stop_requested();
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock(mutex);
    wake.wait_for(lock, stop, std::chrono::microseconds(time_us), [] { return false; });
    return !stop.stop_requested();
}

}  // namespace

Fetch::Fetch(Input input, FetchHooks hooks)
    : in_(std::move(input)),
      hooks_(std::move(hooks)),
      thread_([this](std::stop_token stop) { run(std::move(stop)); }) {}

Fetch::~Fetch() {
    stop();
}

std::string Fetch::what() const {
    return in_.manifest->artifact + "@" + in_.manifest->version;
}

void Fetch::run(std::stop_token stop) {
    auto result = open_sources();
    if (result) {
        await_peers(stop);
        result = pull(stop);
    }
    hooks_.on_end(result);
}

Result<void> Fetch::open_sources() {
    std::optional<Error> error;
    for (const auto& source : in_.sources) {
        auto repository = make_repository(source.access);
        if (!repository) {
            error = std::move(repository).error();
            continue;
        }
        repositories_.push_back(std::move(*repository));
        paths_.push_back(source.path);
    }
    if (!repositories_.empty()) return {};
    if (error) return tl::unexpected<Error>(std::move(*error).within(what()));
    return fail(Errc::unavailable, "{}: no repository of this server has it", what());
}

/// A successor first meets those who hold pieces, or it would pull them again.
void Fetch::await_peers(const std::stop_token& stop) {
    const auto deadline = now_ms() + in_.settings.peers_wait_ms;
    while (in_.peers_expected > 0 && now_ms() < deadline) {
        if (refresh(0) && site_.peers >= in_.peers_expected) return;
        if (!pause_us(poll_ms * 1000, stop)) return;
    }
}

/// Brings site_ up to date when it is older than that; false when the torrent cannot say.
bool Fetch::refresh(std::int64_t age_max_ms) {
    const auto now = now_ms();
    if (!site_.own.empty() && now - site_ms_ < age_max_ms) return true;
    auto site = in_.link->site();
    if (!site || site->own.size() != in_.manifest->piece_count()) return false;
    site_ = std::move(*site);
    site_ms_ = now;
    const auto landed = std::erase_if(in_flight_, [&](auto piece) { return site_.own[piece]; });
    if (landed > 0 || in_flight_.empty()) in_flight_ms_ = now;
    if (now - in_flight_ms_ > landing_max_ms) in_flight_.clear();
    return true;
}

Result<void> Fetch::pull(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        if (!refresh(0)) {
            if (!pause_us(poll_ms * 1000, stop)) break;
            continue;
        }
        if (std::find(site_.own.begin(), site_.own.end(), false) == site_.own.end()) return {};
        const auto run = next_run(site_.own, site_.held, in_flight_, postponed_);
        if (!run) {
            // All the rest is at peers or on its way, or came wrong and has its next chance now.
            if (in_flight_.empty() && !postponed_.empty()) postponed_.clear();
            if (!pause_us(poll_ms * 1000, stop)) break;
            continue;
        }
        auto read = read_run(*run, stop);
        if (stop.stop_requested()) break;
        if (wrong_ >= in_.settings.wrong_max) return tl::unexpected<Error>(*wrong_error_);
        if (!read) CLARITY_CHECK(after_failure(std::move(read).error(), stop));
    }
    return fail(Errc::cancelled, "{}: fetch stopped", what());
}

/// Takes the bytes of one run, piece by piece.
struct Fetch::Reader {
    Fetch& fetch;
    PieceRun run;
    std::stop_token stop;
    std::uint32_t piece = 0;
    bool ended = false;  ///< by us: the site has the next piece, or too much came wrong

    bool take(std::string_view bytes) {
        fetch.in_.counters->wan_bytes += bytes.size();
        fetch.failures_ = 0;
        if (!pause_us(fetch.in_.limiter->take_us(bytes.size(), now_us()), stop)) return false;
        while (!bytes.empty() && piece < run.end) {
            const std::size_t whole = fetch.in_.manifest->piece_length(piece);
            const auto part = bytes.substr(0, whole - fetch.partial_.size());
            fetch.partial_.append(part);
            bytes.remove_prefix(part.size());
            if (fetch.partial_.size() < whole) return true;
            fetch.take_piece(piece);
            if (!next()) return false;
        }
        return true;
    }

    /// On to the next piece; false when this request is to end.
    bool next() {
        ++piece;
        fetch.partial_piece_ = piece;
        fetch.partial_.clear();
        if (fetch.wrong_ >= fetch.in_.settings.wrong_max || fetch.source_ != fetch.reading_) {
            ended = true;
        }
        if (fetch.in_flight_bytes() > fetch.in_.settings.unwritten_max_bytes) {
            fetch.await_disk(stop);
        }
        if (piece >= run.end || ended) return !ended;
        if (fetch.refresh(site_age_max_ms) && (fetch.site_.own[piece] || fetch.site_.held[piece])) {
            ended = true;
        }
        return !ended && !stop.stop_requested();
    }
};

Result<void> Fetch::read_run(const PieceRun& run, const std::stop_token& stop) {
    const Manifest& manifest = *in_.manifest;
    if (partial_piece_ != run.begin) partial_.clear();
    partial_piece_ = run.begin;
    const std::uint64_t piece_size = manifest.piece_size_bytes;
    const std::uint64_t begin = run.begin * piece_size + partial_.size();
    const std::uint64_t end = std::min<std::uint64_t>(run.end * piece_size, manifest.size_bytes);
    reading_ = source_;
    ReadRequest request;
    request.path = paths_[reading_];
    request.offset = begin;
    request.length_max = end - begin;
    request.expected_size = manifest.size_bytes;
    request.expected_etag = etag_;
    request.skip_max_bytes = ranges_ignored_ ? manifest.size_bytes : 0;
    request.retries_max = 0;  // retried here, where claims and progress are known
    request.stop = stop;
    Reader reader{*this, run, stop, run.begin};
    auto outcome = repositories_[reading_]->read(
        request, [&](std::string_view bytes) { return reader.take(bytes); });
    if (outcome) {
        etag_ = outcome->etag;
        if (outcome->wan_bytes > outcome->bytes) {
            in_.counters->wan_bytes += outcome->wan_bytes - outcome->bytes;
        }
        return {};
    }
    if (reader.ended) return {};
    return fail_within(what(), Result<void>(tl::unexpected<Error>(outcome.error())));
}

void Fetch::take_piece(std::uint32_t piece) {
    if (!piece_matches(*in_.manifest, piece, partial_)) return refuse_piece(piece);
    in_.link->add_piece(piece, partial_);
    if (in_flight_.empty()) in_flight_ms_ = now_ms();
    in_flight_.insert(piece);
    ++in_.counters->pieces;
}

/// Never offered: it goes nowhere. The rest is fetched first, then it is asked for again.
void Fetch::refuse_piece(std::uint32_t piece) {
    ++wrong_;
    postponed_.insert(piece);
    wrong_error_ =
        Error{Errc::invalid,
              fmt::format("{}: piece {} from repository {} ({}) is not what the publisher signed: "
                          "refused, offered to nobody; publish the file again or correct it there",
                          what(), piece, repositories_[reading_]->id(), paths_[reading_])};
    hooks_.on_warning(*wrong_error_);
    if (repositories_.size() > 1) {
        source_ = (reading_ + 1) % repositories_.size();
        etag_.clear();
    }
}

/// Waits, or changes the source; an error when there is nothing left to try.
Result<void> Fetch::after_failure(Error error, const std::stop_token& stop) {
    if (error.code == Errc::unavailable && !ranges_ignored_) {
        ranges_ignored_ = true;  // the server sends all from the start: then that, and skip
        return {};
    }
    const bool passing = error.code == Errc::network || error.code == Errc::timeout;
    if (error.code == Errc::conflict) etag_.clear();
    ++failures_;
    hooks_.on_warning(error);
    const auto bound = passing ? 8 * repositories_.size() : repositories_.size();
    if (failures_ >= bound) return tl::unexpected<Error>(std::move(error));
    if (repositories_.size() > 1) {
        source_ = (source_ + 1) % repositories_.size();
        etag_.clear();
        partial_.clear();  // a piece comes from one source, so that one can be blamed
    }
    const auto doubled = in_.settings.retry_min_ms << std::min<std::uint32_t>(failures_ - 1, 10);
    const auto cap = std::min(doubled, in_.settings.retry_max_ms);
    std::minstd_rand random(static_cast<std::uint32_t>(in_.seed + failures_ * 7919));
    const auto wait = std::uniform_int_distribution<std::int64_t>(cap / 2, cap)(random);
    log::debug("swarm: {}; again in {} ms", error.message, wait);
    (void)pause_us(wait * 1000, stop);
    return {};
}

std::uint64_t Fetch::in_flight_bytes() const {
    return std::uint64_t{in_flight_.size()} * in_.manifest->piece_size_bytes;
}

void Fetch::await_disk(const std::stop_token& stop) {
    while (in_flight_bytes() > in_.settings.unwritten_max_bytes) {
        (void)refresh(0);
        if (!pause_us(20'000, stop)) return;
    }
}

}  // namespace clarity::swarm
