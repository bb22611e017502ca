#include "protocol/roster.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const auto value = clarity::Roster::decode(bytes);
    // What was accepted encodes to something that is accepted again, and stays the same.
    if (value) {
        const auto again = clarity::Roster::decode(value->encode());
        if (!again || again->encode() != value->encode()) std::abort();
    }
    return 0;
}
