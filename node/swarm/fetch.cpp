#include "node/swarm/fetch.hpp"

#include <algorithm>

#include "protocol/log/log.hpp"

namespace clarity::swarm {

namespace {
constexpr std::int64_t site_age_max_ms = 300;
constexpr std::int64_t poll_ms = 100;
}  // namespace

Fetch::Fetch(Input input, FetchHooks hooks)
    : in_(std::move(input)),
      hooks_(std::move(hooks)),
      origins_(what(), in_.settings, in_.seed),
      landing_(in_.link, in_.manifest, in_.counters, in_.settings.unwritten_max_bytes),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

Fetch::~Fetch() {
    stop();
}

std::string Fetch::what() const {
    return in_.manifest->artifact + "@" + in_.manifest->version;
}

void Fetch::run(const std::stop_token& stop) {
    auto result = origins_.open(in_.sources);
    if (result) {
        await_peers(stop);
        (void)landing_.refresh(0);
        in_.counters->resuming = in_.counters->wan_bytes > 0 || landing_.any_at_site();
        result = pull(stop);
        drop_partial();
    }
    hooks_.on_end(result);
}

/// Bytes of a piece that are of no use any more.
void Fetch::drop_partial() {
    in_.counters->spare(partial_.size());
    partial_.clear();
}

/// A successor first meets those who hold pieces, or it would pull them again.
void Fetch::await_peers(const std::stop_token& stop) {
    const auto deadline = steady_us() / 1000 + in_.settings.peers_wait_ms;
    while (in_.peers_expected > 0 && steady_us() / 1000 < deadline) {
        if (landing_.refresh(0) && landing_.site().peers >= in_.peers_expected) return;
        if (!pause_us(poll_ms * 1000, stop)) return;
    }
}

FetchPlan plan_fetch(const delta::Layout& layout, const LocalChunks& local) {
    std::uint32_t at = 0;
    // cost_of() asks for the chunks in order, each once.
    const auto cost = delta::cost_of(layout, [&](const ChunkHash&) { return local.has(at++); });
    const auto whole = layout.file_bytes;
    if (cost.local_bytes == 0) {
        return {layout.compressed,
                fmt::format("nothing of it is in other versions here: {} bytes to pull", whole)};
    }
    const auto saved =
        fmt::format("{} bytes are in other versions here: {} of {} to pull, in {} requests",
                    cost.local_bytes, cost.wan_bytes, whole, cost.requests);
    if (layout.compressed || delta::pays(layout, cost)) return {true, saved};
    return {false, saved + ": the whole file is as good"};
}

Result<void> Fetch::pull(const std::stop_token& stop) {
    const auto layout = delta::layout_of(*in_.manifest);
    if (!layout) {
        if (in_.manifest->stored) return tl::unexpected<Error>(layout.error());
        hooks_.on_plan({false, "the manifest has no usable chunk list"});
        return pull_whole(stop);
    }
    LocalChunks local(*in_.cache, layout->chunks);
    const auto plan = plan_fetch(*layout, local);
    hooks_.on_plan(plan);
    if (!plan.delta) return pull_whole(stop);
    ChunkPull chunks({in_.manifest, *layout, local, landing_, origins_, in_.settings, in_.counters,
                      in_.limiter, hooks_.on_warning, hooks_.on_out_of_reach});
    return chunks.run(stop);
}

std::optional<PieceRun> Fetch::next() const {
    const auto site = landing_.site();
    const auto choose = origins_.ranges_ignored() ? whole_run : next_run;
    return choose(site.own, site.held, landing_.in_flight(), postponed_);
}

Result<void> Fetch::pull_whole(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        if (!landing_.refresh(0)) {
            if (!pause_us(poll_ms * 1000, stop)) break;
            continue;
        }
        if (landing_.complete()) return {};
        const auto run = in_.limiter->used_up() ? std::nullopt : next();
        if (!run) {
            // All the rest is at peers or on its way, or came wrong and has its next chance now.
            if (landing_.in_flight().empty()) postponed_.clear();
            if (!pause_us(poll_ms * 1000, stop)) break;
            continue;
        }
        auto read = read_run(*run, stop);
        if (stop.stop_requested()) break;
        if (auto spoilt = origins_.spoilt()) return tl::unexpected<Error>(std::move(*spoilt));
        if (!read) CLARITY_CHECK(after_failure(read.error(), stop));
    }
    return fail(Errc::cancelled, "{}: fetch stopped", what());
}

/// Takes the bytes of one run, piece by piece.
struct Fetch::Reader {
    Fetch& fetch;
    const Origins::Reading& reading;
    PieceRun run;
    std::stop_token stop;
    std::uint32_t piece = 0;
    bool ended = false;  ///< by us: the site has the next piece, or too much came wrong

    bool take(std::string_view bytes) {
        fetch.origins_.bytes_came();
        if (!pause_us(fetch.in_.limiter->take_us(bytes.size(), steady_us()), stop)) return false;
        if (!absorb(bytes)) return false;
        ended = fetch.in_.limiter->used_up();
        return !ended;
    }

    /// False when this request is to end.
    bool absorb(std::string_view bytes) {
        while (!bytes.empty() && piece < run.end) {
            const std::size_t whole = fetch.in_.manifest->piece_length(piece);
            const auto part = bytes.substr(0, whole - fetch.partial_.size());
            fetch.partial_.append(part);
            bytes.remove_prefix(part.size());
            if (fetch.partial_.size() < whole) return true;
            fetch.take_piece(piece, reading);
            if (!next()) return false;
        }
        return true;
    }

    /// On to the next piece; false when this request is to end.
    bool next() {
        ++piece;
        fetch.partial_piece_ = piece;
        fetch.partial_.clear();
        ended = fetch.origins_.spoilt() || !fetch.origins_.is_current(reading.source);
        fetch.landing_.await_disk(stop);
        if (piece >= run.end || ended) return !ended;
        const bool fresh = fetch.landing_.refresh(site_age_max_ms);
        if (fetch.origins_.ranges_ignored()) ended = fresh && !fetch.next();
        else ended = fresh && fetch.landing_.at_site(piece);
        return !ended && !stop.stop_requested();
    }
};

Result<void> Fetch::read_run(const PieceRun& run, const std::stop_token& stop) {
    const Manifest& manifest = *in_.manifest;
    if (partial_piece_ != run.begin) drop_partial();
    partial_piece_ = run.begin;
    const std::uint64_t piece_size = manifest.piece_size_bytes;
    const auto reading = origins_.current();
    ReadRequest request;
    request.path = reading.path;
    request.offset = run.begin * piece_size + partial_.size();
    request.length_max =
        std::min<std::uint64_t>(run.end * piece_size, manifest.size_bytes) - request.offset;
    request.expected_size = manifest.size_bytes;
    request.expected_etag = reading.etag;
    request.skip_max_bytes = origins_.ranges_ignored() ? manifest.size_bytes : 0;
    request.retries_max = 0;  // retried here, where claims and progress are known
    request.wan_counter = &in_.counters->wan_bytes;
    request.spare_counter = &in_.counters->duplicate_bytes;
    request.stall_s = origins_.stall_s();
    request.rate_limit_bytes_s = in_.limiter->limit_bytes_s();  // in parts that fit it
    request.on_version = [&](const std::string& version) { origins_.answered(reading, version); };
    request.stop = stop;
    Reader reader{*this, reading, run, stop, run.begin};
    auto outcome = reading.repository->read(
        request, [&](std::string_view bytes) { return reader.take(bytes); });
    if (outcome || reader.ended) return {};
    return fail_within(what(), Result<void>(tl::unexpected<Error>(outcome.error())));
}

/// What is wrong is never offered: it goes nowhere. The rest is fetched first, then it is asked
/// for again.
void Fetch::take_piece(std::uint32_t piece, const Origins::Reading& reading) {
    const bool lacked = landing_.lacks(piece);
    if (landing_.put(piece, partial_)) {
        if (lacked) in_.counters->came(partial_.size());
        else in_.counters->spare(partial_.size());
        return;
    }
    in_.counters->wrong(partial_.size());
    postponed_.insert(piece);
    hooks_.on_warning(origins_.blame(reading, fmt::format("piece {}", piece)));
}

/// Waits, or changes the source; an error when there is nothing left to try.
Result<void> Fetch::after_failure(const Error& error, const std::stop_token& stop) {
    if (error.code == Errc::unavailable && !origins_.ranges_ignored()) {
        // The server sends all from the start: another one, or that, and skip.
        const auto source = origins_.current().source;
        origins_.set_ranges_ignored();
        if (!origins_.is_current(source)) drop_partial();
        return {};
    }
    hooks_.on_warning(error);
    const auto source = origins_.current().source;
    auto verdict = origins_.failed(error);
    if (verdict.error) return tl::unexpected<Error>(std::move(*verdict.error));
    if (verdict.out_of_reach) hooks_.on_out_of_reach(error);
    if (in_.counters->pieces > 0) in_.counters->resuming = true;
    if (!origins_.is_current(source)) drop_partial();  // a piece comes from one source
    log::debug("swarm: {}; again in {} ms", error.message, verdict.wait_ms);
    (void)pause_us(verdict.wait_ms * 1000, stop);
    return {};
}

}  // namespace clarity::swarm
