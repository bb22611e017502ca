#include "protocol/manifest.hpp"

#include "protocol/delta.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const auto value = clarity::Manifest::decode(bytes);
    // What was accepted encodes to something that is accepted again, and stays the same.
    if (value) {
        const auto again = clarity::Manifest::decode(value->encode());
        if (!again || again->encode() != value->encode()) std::abort();
        // What a delta asks for lies within the repository's file, and each byte is asked for once.
        if (const auto layout = clarity::delta::layout_of(*value)) {
            bool odd = false;
            const auto cost = clarity::delta::cost_of(
                *layout, [&](const clarity::ChunkHash&) { return odd = !odd; });
            if (cost.wan_bytes > layout->file_bytes || cost.local_bytes > value->size_bytes) {
                std::abort();
            }
        }
    }
    return 0;
}
