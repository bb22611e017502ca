#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "protocol/chunk_list.hpp"
#include "protocol/delta.hpp"

// The two packed tables of a manifest, which msgpack does not look into: chunks and frames. The
// first byte says where one ends and the other begins, the second what stands around them.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace clarity;
    if (size < 2) return 0;
    const std::string_view bytes(reinterpret_cast<const char*>(data + 2), size - 2);
    (void)parse_chunks(bytes);

    const auto cut = std::min(bytes.size(), data[0] * chunk_entry_bytes);
    Manifest manifest;
    manifest.chunks = bytes.substr(0, cut);
    const auto chunks = parse_chunks(manifest.chunks);
    if (!chunks) return 0;
    std::uint64_t total = 0;
    for (const auto& each : *chunks) total += each.length;
    manifest.size_bytes = total + (data[1] & 1U);
    if ((data[1] & 2U) != 0) {
        StoredForm stored;
        stored.form = std::string(delta::zstd_form);
        stored.frames = bytes.substr(cut);
        for (std::size_t at = 0; at + 4 <= stored.frames.size(); at += 6) {
            for (std::size_t n = 0; n < 4; ++n) {  // as the frames have it, so that some fit
                stored.size_bytes += std::uint64_t{static_cast<std::uint8_t>(stored.frames[at + n])}
                                     << 8 * n;
            }
        }
        manifest.stored = std::move(stored);
    }
    if (const auto all = chunks_of(manifest); all && !all->empty() && all->back().end() != total) {
        std::abort();
    }
    const auto layout = delta::layout_of(manifest);
    if (!layout) return 0;
    // Units lie one behind the other, and hold every chunk once.
    std::uint64_t at = 0;
    std::uint32_t chunk = 0;
    for (const auto& unit : layout->units) {
        if (unit.offset != at || unit.first_chunk != chunk || unit.chunk_count == 0) std::abort();
        at = unit.end();
        chunk += unit.chunk_count;
    }
    if (at > layout->file_bytes || chunk != layout->chunks.size()) std::abort();
    if (delta::units_by_chunk(*layout).size() != layout->chunks.size()) std::abort();
    bool odd = false;
    const auto cost = delta::cost_of(*layout, [&](const ChunkHash&) { return odd = !odd; });
    if (cost.wan_bytes > layout->file_bytes || cost.local_bytes > total) std::abort();
    return 0;
}
