#include "node/swarm/piece_builder.hpp"

#include <algorithm>

namespace clarity::swarm {

PieceBuilder::PieceBuilder(std::shared_ptr<const Manifest> manifest, const delta::Layout& layout,
                           LocalChunks& local, Landing& landing,
                           std::shared_ptr<FetchCounters> counters)
    : manifest_(std::move(manifest)),
      layout_(layout),
      local_(local),
      landing_(landing),
      counters_(std::move(counters)),
      units_(delta::units_by_chunk(layout)) {}

std::uint64_t PieceBuilder::begin_of(std::uint32_t piece) const {
    return std::uint64_t{piece} * manifest_->piece_size_bytes;
}

std::uint64_t PieceBuilder::end_of(std::uint32_t piece) const {
    return begin_of(piece) + manifest_->piece_length(piece);
}

std::uint32_t PieceBuilder::piece_at(std::uint64_t offset) const {
    return static_cast<std::uint32_t>(offset / manifest_->piece_size_bytes);
}

std::uint32_t PieceBuilder::first_chunk_at(std::uint64_t offset) const {
    const auto& chunks = layout_.chunks;
    const auto at =
        std::upper_bound(chunks.begin(), chunks.end(), offset,
                         [](std::uint64_t value, const Chunk& each) { return value < each.end(); });
    return static_cast<std::uint32_t>(at - chunks.begin());
}

PieceBuilder::Open PieceBuilder::open_for(std::uint32_t piece) const {
    Open out;
    const auto end = end_of(piece);
    for (auto c = first_chunk_at(begin_of(piece));
         c < layout_.chunks.size() && layout_.chunks[c].offset < end; ++c) {
        (local_.has(c) ? out.local : out.missing).push_back(c);
    }
    return out;
}

void PieceBuilder::plan() {
    const std::lock_guard lock(mutex_);
    from_here_.clear();
    for (std::uint32_t piece = 0; piece < manifest_->piece_count(); ++piece) {
        if (!landing_.lacks(piece)) {
            open_.erase(piece);
            continue;
        }
        if (open_.contains(piece)) continue;
        auto open = open_for(piece);
        if (open.missing.empty()) from_here_.push_back(piece);
        else open_.emplace(piece, std::move(open));
    }
}

std::vector<bool> PieceBuilder::missing_units() const {
    const std::lock_guard lock(mutex_);
    std::vector<bool> out(layout_.units.size());
    for (const auto& [piece, open] : open_) {
        for (const auto chunk : open.missing) out[units_[chunk]] = true;
    }
    return out;
}

bool PieceBuilder::is_needed(std::uint32_t unit) const {
    const auto& which = layout_.units[unit];
    const auto begin = layout_.chunks[which.first_chunk].offset;
    const auto last = piece_at(begin + layout_.plain_bytes(which) - 1);
    const std::lock_guard lock(mutex_);
    for (auto at = open_.lower_bound(piece_at(begin)); at != open_.end() && at->first <= last;
         ++at) {
        const auto& missing = at->second.missing;
        const bool waits = std::any_of(missing.begin(), missing.end(),
                                       [&](auto chunk) { return units_[chunk] == unit; });
        if (waits && !landing_.at_site(at->first)) return true;
    }
    return false;
}

void PieceBuilder::copy(std::uint32_t piece, std::uint32_t chunk, std::string_view bytes,
                        Bytes& out) const {
    const auto& which = layout_.chunks[chunk];
    const auto from = std::max(which.offset, begin_of(piece));
    const auto to = std::min(which.end(), end_of(piece));
    out.replace(from - begin_of(piece), to - from, bytes.substr(from - which.offset, to - from));
}

Result<void> PieceBuilder::build(std::uint32_t piece) {
    return finish(piece, open_for(piece));
}

Result<void> PieceBuilder::put(std::uint32_t chunk, std::string_view bytes) {
    const auto& which = layout_.chunks[chunk];
    std::vector<std::pair<std::uint32_t, Open>> whole;
    {
        const std::lock_guard lock(mutex_);
        for (auto piece = piece_at(which.offset); piece <= piece_at(which.end() - 1); ++piece) {
            const auto at = open_.find(piece);
            if (at == open_.end()) continue;
            auto& open = at->second;
            if (std::erase(open.missing, chunk) == 0) continue;
            if (open.bytes.empty()) open.bytes.resize(manifest_->piece_length(piece));
            copy(piece, chunk, bytes, open.bytes);
            if (!open.missing.empty()) continue;
            whole.emplace_back(piece, std::move(open));
            open_.erase(at);
        }
    }
    for (auto& [piece, open] : whole) CLARITY_CHECK(finish(piece, std::move(open)));
    return {};
}

Result<void> PieceBuilder::finish(std::uint32_t piece, Open open) {
    if (open.bytes.empty()) open.bytes.resize(manifest_->piece_length(piece));
    std::uint64_t local_bytes = 0;
    for (const auto chunk : open.local) {
        const auto bytes = local_.read(chunk);
        if (!bytes) open.missing.push_back(chunk);
        else copy(piece, chunk, *bytes, open.bytes);
        const auto& which = layout_.chunks[chunk];
        local_bytes +=
            std::min(which.end(), end_of(piece)) - std::max(which.offset, begin_of(piece));
    }
    if (!open.missing.empty()) {  // what was here is not any more: it waits for the next round
        std::erase_if(open.local, [&](auto chunk) { return !local_.has(chunk); });
        const std::lock_guard lock(mutex_);
        open_.insert_or_assign(piece, std::move(open));
        return {};
    }
    if (!landing_.put(piece, open.bytes)) {
        return fail(Errc::conflict,
                    "{}@{}: every chunk of piece {} is as its manifest says but not the piece: the "
                    "manifest contradicts itself; publish it anew",
                    manifest_->artifact, manifest_->version, piece);
    }
    counters_->local_bytes += local_bytes;
    return {};
}

}  // namespace clarity::swarm
