#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "protocol/http/client_redirect.hpp"
#include "storage/repositories/http_reader.hpp"

// What we read ourselves of a repository's answer: libcurl has split it into lines.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace clarity;
    const std::string text(reinterpret_cast<const char*>(data), size);
    if (const auto range = repository_detail::parse_content_range(text)) {
        if (range->last < range->first || (range->total && *range->total <= range->last)) {
            std::abort();
        }
    }
    HttpHead head;
    head.headers = {{"content-length", text}};
    (void)head.content_length();

    HttpRequest request;
    request.url = "https://repo.example:8443/a/b";
    request.username = "robot";
    request.password = "secret";
    request.headers = {{"X-Api-Key", "secret"}, {"Authorization", "Bearer secret"}};
    const auto next = http_detail::follow(request, text);
    if (!next) return 0;
    // Never to plain text, and no secret to another origin.
    if (!next->url.starts_with("https://")) std::abort();
    const std::string own = "https://repo.example:8443/";
    if (next->url.starts_with(own)) return 0;
    const bool kept = !next->username.empty() || !next->password.empty() || !next->headers.empty();
    // libcurl writes the same origin in other ways too: "https://x@repo.example:8443/".
    if (kept && next->url.find("repo.example") == std::string::npos) std::abort();
    return 0;
}
