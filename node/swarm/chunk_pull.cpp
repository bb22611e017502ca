#include "node/swarm/chunk_pull.hpp"

#include <algorithm>
#include <limits>
#include <thread>

#include "protocol/compression.hpp"
#include "protocol/log/log.hpp"

namespace clarity::swarm {

namespace {
constexpr std::int64_t site_age_max_ms = 300;
constexpr std::int64_t poll_us = 100'000;
}  // namespace

ChunkPull::ChunkPull(Input input)
    : in_(std::move(input)),
      builder_(in_.manifest, in_.layout, in_.local, in_.landing, in_.counters) {}

ChunkPull::~ChunkPull() {
    for (const auto& [unit, bytes] : partial_) in_.counters->spare(bytes.size());
}

Result<void> ChunkPull::run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        if (in_.limiter->used_up() || !in_.landing.refresh(0)) {
            if (!pause_us(poll_us, stop)) break;
            continue;
        }
        if (in_.landing.complete()) return {};
        if (!plan_round()) {
            // All the rest is at peers or on its way, or came wrong and has its next chance now.
            if (in_.landing.in_flight().empty()) postponed_.clear();
            if (!pause_us(poll_us, stop)) break;
            continue;
        }
        auto round = run_round(stop);
        if (stop.stop_requested()) break;
        if (!round) return tl::unexpected<Error>(std::move(round).error());
    }
    return fail(Errc::cancelled, "{}@{}: fetch stopped", in_.manifest->artifact,
                in_.manifest->version);
}

/// What to ask for and what to build now; false when there is nothing of either.
bool ChunkPull::plan_round() {
    builder_.plan();
    auto wanted = builder_.missing_units();
    std::erase_if(partial_, [&](const auto& each) {
        if (!wanted[each.first]) in_.counters->spare(each.second.size());
        return !wanted[each.first];
    });
    for (const auto unit : postponed_) wanted[unit] = false;
    // A server without ranges sends everything in between as well.
    const auto gap_max = in_.origins.ranges_ignored() ? std::numeric_limits<std::uint64_t>::max()
                                                      : delta::gap_max_bytes;
    const auto ranges = delta::ranges_for(in_.layout, wanted, gap_max);
    queue_.assign(ranges.begin(), ranges.end());
    failure_.reset();
    return !queue_.empty() || !builder_.from_here().empty();
}

/// Requests in their threads, and meanwhile here what needs none.
Result<void> ChunkPull::run_round(const std::stop_token& stop) {
    {
        std::vector<std::jthread> threads;
        const auto count = std::min<std::size_t>(in_.settings.requests_max, queue_.size());
        for (std::size_t i = 0; i < count; ++i) threads.emplace_back([&] { work(stop); });
        for (const auto piece : builder_.from_here()) {
            in_.landing.await_disk(stop);
            if (stop.stop_requested()) break;
            (void)in_.landing.refresh(site_age_max_ms);
            if (!in_.landing.lacks(piece)) continue;
            if (auto built = builder_.build(piece); !built) {
                const std::lock_guard lock(mutex_);
                fatal_ = std::move(built).error();
                turned_.notify_all();
                break;
            }
        }
    }
    if (fatal_) return tl::unexpected<Error>(*fatal_);
    if (auto spoilt = in_.origins.spoilt()) return tl::unexpected<Error>(std::move(*spoilt));
    if (!failure_) return {};
    if (failure_->code == Errc::unavailable && !in_.origins.ranges_ignored()) {
        log::info("swarm: {}@{}: the repository ignores ranges: the file is read through",
                  in_.manifest->artifact, in_.manifest->version);
        in_.origins.set_ranges_ignored();
        return {};
    }
    in_.on_warning(*failure_);
    auto verdict = in_.origins.failed(*failure_);
    if (verdict.error) return tl::unexpected<Error>(std::move(*verdict.error));
    if (verdict.out_of_reach) in_.on_out_of_reach(*failure_);
    if (in_.counters->pieces > 0) in_.counters->resuming = true;
    log::debug("swarm: {}; again in {} ms", failure_->message, verdict.wait_ms);
    (void)pause_us(verdict.wait_ms * 1000, stop);
    return {};
}

bool ChunkPull::over() const {
    return failure_ || fatal_ || in_.origins.spoilt() || in_.limiter->used_up();
}

void ChunkPull::fail_round(Error error) {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::move(error);
}

void ChunkPull::work(const std::stop_token& stop) {
    while (const auto range = next_range(stop)) {
        read_range(*range, stop);
        const std::lock_guard lock(mutex_);
        --reading_;
        turned_.notify_all();
    }
}

std::optional<delta::Range> ChunkPull::next_range(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (!over() && !stop.stop_requested()) {
        if (!ranges_proven_ && reading_ > 0) {
            turned_.wait_for(lock, std::chrono::microseconds(poll_us));
            continue;
        }
        if (queue_.empty()) break;
        const auto range = queue_.front();
        queue_.pop_front();
        lock.unlock();
        (void)in_.landing.refresh(site_age_max_ms);
        bool needed = false;
        for (auto unit = range.begin; unit < range.end && !needed; ++unit) {
            needed = builder_.is_needed(unit);
        }
        lock.lock();
        if (!needed) continue;
        ++reading_;
        return range;
    }
    return std::nullopt;
}

Bytes ChunkPull::take_partial(std::uint32_t unit, std::size_t source) {
    const std::lock_guard lock(mutex_);
    if (source != partial_source_) {  // bytes of a chunk come from one source
        for (const auto& [other, bytes] : partial_) in_.counters->spare(bytes.size());
        partial_.clear();
    }
    partial_source_ = source;
    const auto at = partial_.find(unit);
    if (at == partial_.end()) return {};
    Bytes out = std::move(at->second);
    partial_.erase(at);
    return out;
}

/// Takes the bytes of one range, unit by unit.
struct ChunkPull::Reader {
    ChunkPull& pull;
    const Origins::Reading& reading;
    std::uint32_t unit;
    std::uint32_t end;
    std::stop_token stop;
    Bytes bytes;         ///< of `unit`, from its start
    bool ended = false;  ///< by us: the rest is not wanted any more, or of no use

    bool take(std::string_view part) {
        auto& in = pull.in_;
        in.origins.bytes_came();
        if (!pause_us(in.limiter->take_us(part.size(), steady_us()), stop)) return false;
        if (!absorb(part)) return false;
        ended = in.limiter->used_up();
        return !ended;
    }

    /// False when this request is to end.
    bool absorb(std::string_view part) {
        auto& in = pull.in_;
        while (!part.empty() && unit < end) {
            const std::size_t whole = in.layout.units[unit].length;
            const auto some = part.substr(0, whole - bytes.size());
            bytes.append(some);
            part.remove_prefix(some.size());
            if (bytes.size() < whole) return true;
            const bool needed = pull.builder_.is_needed(unit);
            auto taken = needed ? pull.take_unit(unit, bytes) : Result<void>();
            pull.count_unit(unit, needed, taken.has_value());
            if (!taken) {
                if (taken.error().code != Errc::invalid) {
                    const std::lock_guard lock(pull.mutex_);
                    pull.fatal_ = std::move(taken).error();
                    ended = true;
                    return false;
                }
                pull.refuse_unit(unit, reading, taken.error());
            }
            if (!next()) return false;
        }
        return true;
    }

    /// On to the next unit; false when this request is to end.
    bool next() {
        ++unit;
        bytes.clear();
        pull.in_.landing.await_disk(stop);
        if (stop.stop_requested()) return false;
        if (unit >= end) return true;
        (void)pull.in_.landing.refresh(site_age_max_ms);
        ended = !pull.in_.origins.is_current(reading.source) || pull.in_.origins.spoilt() ||
                !any_needed();
        return !ended;
    }

    /// Whether this request brings anything that is still needed soon: a gap is read over.
    [[nodiscard]] bool any_needed() const {
        constexpr std::uint32_t ahead = 64;
        const auto last = std::min(end, unit + ahead);
        for (auto each = unit; each < last; ++each) {
            if (pull.builder_.is_needed(each)) return true;
        }
        return last < end && pull.in_.origins.ranges_ignored();
    }
};

void ChunkPull::read_range(const delta::Range& range, const std::stop_token& stop) {
    const auto reading = in_.origins.current();
    const auto& units = in_.layout.units;
    Reader reader{*this,     reading, range.begin,
                  range.end, stop,    take_partial(range.begin, reading.source)};
    ReadRequest request;
    request.path = reading.path;
    request.offset = units[range.begin].offset + reader.bytes.size();
    request.length_max = units[range.end - 1].end() - request.offset;
    request.expected_size = in_.layout.file_bytes;
    request.expected_etag = reading.etag;
    request.skip_max_bytes = in_.origins.ranges_ignored() ? in_.layout.file_bytes : 0;
    request.retries_max = 0;  // retried here, where claims and progress are known
    request.wan_counter = &in_.counters->wan_bytes;
    request.spare_counter = &in_.counters->duplicate_bytes;
    request.stall_s = in_.origins.stall_s();
    request.rate_limit_bytes_s = in_.limiter->limit_bytes_s();  // in parts that fit it
    request.on_version = [&](const std::string& version) {
        in_.origins.answered(reading, version);
    };
    request.stop = stop;
    auto outcome = reading.repository->read(request, [&](std::string_view bytes) {
        if (request.offset > 0) prove_ranges();
        return reader.take(bytes);
    });
    if (outcome) {
        if (outcome->ranged) prove_ranges();
        return;
    }
    if (!reader.bytes.empty() && reader.unit < reader.end) {
        const std::lock_guard lock(mutex_);
        if (reading.source == partial_source_) partial_[reader.unit] = std::move(reader.bytes);
        else in_.counters->spare(reader.bytes.size());
    }
    if (reader.ended) return;
    fail_round(Error(outcome.error()).within(in_.manifest->artifact + "@" + in_.manifest->version));
}

void ChunkPull::prove_ranges() {
    if (ranges_proven_.exchange(true)) return;
    const std::lock_guard lock(mutex_);
    turned_.notify_all();
}

void ChunkPull::count_unit(std::uint32_t unit, bool needed, bool right) {
    const auto bytes = in_.layout.units[unit].length;
    if (!needed) in_.counters->spare(bytes);
    else if (right) in_.counters->came(bytes);
    else in_.counters->wrong(bytes);
}

Result<void> ChunkPull::take_unit(std::uint32_t unit, std::string_view bytes) {
    const auto& which = in_.layout.units[unit];
    Bytes unpacked;
    if (in_.layout.compressed) {
        const auto plain = in_.layout.plain_bytes(which);
        CLARITY_TRY(unpacked, compression::unpack(bytes, plain));
        if (unpacked.size() != plain) {
            return fail(Errc::invalid, "the zstd frame holds {} bytes, not {}", unpacked.size(),
                        plain);
        }
        bytes = unpacked;
    }
    for (std::uint32_t i = 0; i < which.chunk_count; ++i) {
        const auto& chunk = in_.layout.chunks[which.first_chunk + i];
        const auto part = bytes.substr(0, chunk.length);
        bytes.remove_prefix(chunk.length);
        if (chunk_hash(part) != chunk.hash) {
            return fail(Errc::invalid, "chunk {} has another hash", which.first_chunk + i);
        }
        CLARITY_CHECK(builder_.put(which.first_chunk + i, part));
    }
    return {};
}

/// It goes nowhere. The rest is fetched first, then it is asked for again.
void ChunkPull::refuse_unit(std::uint32_t unit, const Origins::Reading& reading,
                            const Error& error) {
    const auto& which = in_.layout.units[unit];
    {
        const std::lock_guard lock(mutex_);
        postponed_.insert(unit);
    }
    in_.on_warning(
        in_.origins.blame(reading, fmt::format("what stands from byte {} to {} ({})", which.offset,
                                               which.end() - 1, error.message)));
}

}  // namespace clarity::swarm
