#include "protocol/orders.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    (void)clarity::Beacon::decode(bytes);
    (void)clarity::Command::decode(bytes);
    return 0;
}
