#include "protocol/delta.hpp"

namespace clarity::delta {

namespace {

constexpr std::size_t frame_entry_bytes = 6;

std::uint32_t little_endian(std::string_view bytes) {
    std::uint32_t out = 0;
    for (std::size_t i = bytes.size(); i-- > 0;) {
        out = out << 8U | static_cast<unsigned char>(bytes[i]);
    }
    return out;
}

Result<void> add_frames(Layout& layout, const Manifest& manifest) {
    const StoredForm& stored = *manifest.stored;
    std::string_view rest = stored.frames;
    const auto wrong = [&](std::string_view what) {
        return fail(Errc::invalid, "manifest {}: stored form: {}", manifest.artifact, what);
    };
    if (rest.empty() || rest.size() % frame_entry_bytes != 0) return wrong("frame list is cut");
    std::uint64_t offset = 0;
    std::uint32_t chunk = 0;
    for (; !rest.empty(); rest.remove_prefix(frame_entry_bytes)) {
        const Unit unit{offset, little_endian(rest.substr(0, 4)), chunk,
                        little_endian(rest.substr(4, 2))};
        if (unit.length == 0 || unit.chunk_count == 0 ||
            unit.chunk_count > layout.chunks.size() - chunk) {
            return wrong("a frame without bytes, or with chunks that there are not");
        }
        // Bytes that do not compress grow by far less than this.
        const auto plain = layout.plain_bytes(unit);
        if (plain > frame_plain_max_bytes || unit.length > plain + plain / 128 + 512) {
            return wrong(fmt::format("a frame of {} bytes for {}", unit.length, plain));
        }
        offset = unit.end();
        chunk += unit.chunk_count;
        layout.units.push_back(unit);
    }
    if (chunk != layout.chunks.size()) return wrong("chunks without a frame");
    if (offset > stored.size_bytes) return wrong("its frames are longer than the file");
    layout.compressed = true;
    layout.file_bytes = stored.size_bytes;
    return {};
}

}  // namespace

std::uint64_t Layout::plain_bytes(const Unit& unit) const {
    const auto& last = chunks[unit.first_chunk + unit.chunk_count - 1];
    return last.end() - chunks[unit.first_chunk].offset;
}

Result<Layout> layout_of(const Manifest& manifest) {
    Layout out;
    CLARITY_TRY(out.chunks, chunks_of(manifest));
    if (out.chunks.empty()) {
        return fail(Errc::invalid, "manifest {} has no chunk list", manifest.artifact);
    }
    if (manifest.stored) {
        if (manifest.stored->form != zstd_form) {
            return fail(Errc::unavailable,
                        "{}@{} is stored as \"{}\", which this version does not know; update it",
                        manifest.artifact, manifest.version, manifest.stored->form);
        }
        CLARITY_CHECK(add_frames(out, manifest));
        return out;
    }
    out.units.reserve(out.chunks.size());
    for (std::uint32_t i = 0; i < out.chunks.size(); ++i) {
        out.units.push_back({out.chunks[i].offset, out.chunks[i].length, i, 1});
    }
    out.file_bytes = manifest.size_bytes;
    return out;
}

std::vector<std::uint32_t> units_by_chunk(const Layout& layout) {
    std::vector<std::uint32_t> out(layout.chunks.size());
    for (std::uint32_t i = 0; i < layout.units.size(); ++i) {
        const auto& unit = layout.units[i];
        for (std::uint32_t c = 0; c < unit.chunk_count; ++c) out[unit.first_chunk + c] = i;
    }
    return out;
}

void append_frame(Bytes& frames, std::uint32_t stored_bytes, std::uint16_t chunk_count) {
    for (unsigned shift = 0; shift < 32; shift += 8) {
        frames += static_cast<char>(stored_bytes >> shift & 0xffU);
    }
    frames += static_cast<char>(chunk_count & 0xffU);
    frames += static_cast<char>(chunk_count >> 8U);
}

std::vector<Range> ranges_for(const Layout& layout, const std::vector<bool>& wanted,
                              std::uint64_t gap_max) {
    std::vector<Range> out;
    for (std::uint32_t i = 0; i < layout.units.size(); ++i) {
        if (!wanted[i]) continue;
        if (!out.empty() &&
            layout.units[i].offset - layout.units[out.back().end - 1].end() <= gap_max) {
            out.back().end = i + 1;
        } else {
            out.push_back({i, i + 1});
        }
    }
    return out;
}

Cost cost_of(const Layout& layout, const IsHeld& held) {
    Cost out;
    std::vector<bool> wanted(layout.units.size());
    for (std::size_t i = 0; i < layout.units.size(); ++i) {
        const auto& unit = layout.units[i];
        for (std::uint32_t c = 0; c < unit.chunk_count; ++c) {
            const auto& chunk = layout.chunks[unit.first_chunk + c];
            if (held && held(chunk.hash)) out.local_bytes += chunk.length;
            else wanted[i] = true;
        }
    }
    const auto ranges = ranges_for(layout, wanted);
    out.requests = ranges.size();
    for (const auto& range : ranges) {
        out.wan_bytes += layout.units[range.end - 1].end() - layout.units[range.begin].offset;
    }
    return out;
}

bool pays(const Layout& layout, const Cost& cost) {
    return cost.wan_bytes <= layout.file_bytes - layout.file_bytes / 10;
}

std::uint64_t expected_bytes(const Manifest& manifest, const IsHeld& held) {
    const auto layout = layout_of(manifest);
    if (!layout) return manifest.stored ? manifest.stored->size_bytes : manifest.size_bytes;
    const auto cost = cost_of(*layout, held);
    return layout->compressed || pays(*layout, cost) ? cost.wan_bytes : layout->file_bytes;
}

}  // namespace clarity::delta
