#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "protocol/compression.hpp"
#include "protocol/control.hpp"
#include "protocol/control_words.hpp"
#include "protocol/join_token.hpp"
#include "protocol/query.hpp"

namespace {

void check_packed(std::string_view bytes) {
    using namespace clarity;
    const auto packed = compression::pack(bytes, control::control_words);
    const auto back = compression::unpack(packed, bytes.size(), control::control_words);
    if (!back || *back != bytes) std::abort();
    const bool nested = !bytes.empty() && bytes.front() == 'z';
    const bool whole = control::decode(bytes).has_value() && !nested;
    if (control::decode('z' + packed).has_value() != whole) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace clarity;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    if (const auto message = control::decode(bytes)) {
        if (!control::decode(control::encode(*message))) std::abort();
    }
    (void)compression::unpack(bytes, 64U << 10, control::control_words);
    // As a compressed frame holds it. Costs a hundred times the rest: for some inputs only.
    if (!bytes.empty() && bytes.back() == 'z') check_packed(bytes.substr(0, size - 1));
    (void)query::decode_question(bytes);
    (void)query::decode_answer(bytes);
    (void)JoinToken::decode(bytes);
    return 0;
}
