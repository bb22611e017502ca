#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "protocol/wire/greeting.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace clarity;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    if (const auto greeting = wire::Greeting::decode(bytes)) {
        const auto again = wire::Greeting::decode(greeting->encode());
        if (!again || *again != *greeting) std::abort();
        if (wire::disagreement(*greeting, *again)) std::abort();
    }
    return 0;
}
