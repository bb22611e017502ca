#include "protocol/record.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const auto value = clarity::Record::decode(bytes);
    // Whatever a later version writes beside it, the head is read or refused.
    const auto head = clarity::RecordHead::decode(bytes);
    if (value && (!head || head->version != value->version)) std::abort();
    (void)clarity::endpoints_of(bytes);
    // What was accepted encodes to something that is accepted again, and stays the same.
    if (value) {
        const auto again = clarity::Record::decode(value->encode());
        if (!again || again->encode() != value->encode()) std::abort();
    }
    return 0;
}
