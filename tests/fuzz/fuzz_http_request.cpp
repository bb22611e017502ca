#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "protocol/http/body_guard.hpp"

// Requests as any client may send them to the REST port, in pieces: what of a body is kept stays
// within its limit, whatever its headers say. The first byte says how long the pieces are.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace clarity::http;
    constexpr std::uint64_t limit = 1000;
    if (size == 0) return 0;
    guard::Policy policy;
    policy.body_max_bytes = limit;
    policy.limit = [](const Request& head) -> std::uint64_t {
        return head.header("authorization").empty() ? 10 : limit;
    };
    guard::current = &policy;
    static const auto settings = restinio::impl::create_parser_settings<guard::Methods>();
    restinio::impl::http_parser_ctx_t context{restinio::incoming_http_msg_limits_t{}};
    http_parser parser{};
    http_parser_init(&parser, HTTP_REQUEST);
    parser.data = &context;
    const std::size_t piece = data[0] + 1U;
    for (std::size_t at = 1; at < size && parser.http_errno == HPE_OK;) {
        const auto length = std::min(piece, size - at);
        const auto taken = http_parser_execute(&parser, &settings,
                                               reinterpret_cast<const char*>(data + at), length);
        if (context.m_body.size() > limit) std::abort();
        if (context.m_message_complete) {
            const auto head = head_of(context.m_header);
            (void)head.bearer_token();
            for (const auto& [name, value] : head.headers) {
                if (name.starts_with(':')) std::abort();
            }
            context.reset();
            if (taken == 0) break;
            if (parser.http_errno == HPE_PAUSED) http_parser_pause(&parser, 0);
        }
        if (taken == 0) break;
        at += taken;
    }
    guard::current = nullptr;
    return 0;
}
