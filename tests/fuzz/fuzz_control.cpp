#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "protocol/control.hpp"
#include "protocol/join_token.hpp"
#include "protocol/query.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace clarity;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    if (const auto message = control::decode(bytes)) {
        if (!control::decode(control::encode(*message))) std::abort();
    }
    (void)query::decode_question(bytes);
    (void)query::decode_answer(bytes);
    (void)JoinToken::decode(bytes);
    return 0;
}
