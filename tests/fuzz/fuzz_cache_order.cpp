#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "protocol/cache_order.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace clarity;
    const auto order =
        CacheOrder::decode(std::string_view(reinterpret_cast<const char*>(data), size));
    if (!order) return 0;
    const auto again = CacheOrder::decode(order->encode());
    if (!again || again->encode() != order->encode()) std::abort();
    return 0;
}
