#include "protocol/keys.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    (void)clarity::decode_key_file(bytes, "");
    (void)clarity::from_hex(bytes);
    (void)clarity::from_base64(bytes);
    return 0;
}
