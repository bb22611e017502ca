#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "protocol/compression.hpp"

/// A frame as a hostile repository may send it: never more than was asked for.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::size_t plain_max = 256U << 10;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const auto plain = clarity::compression::unpack(bytes, plain_max);
    if (plain && plain->size() > plain_max) std::abort();
    // What we pack comes back as it was, whatever it is.
    const auto packed = clarity::compression::pack(bytes, {}, 3);
    const auto back = clarity::compression::unpack(packed, size);
    if (!back || *back != bytes) std::abort();
    return 0;
}
