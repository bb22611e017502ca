#include "protocol/http/client_redirect.hpp"

#include <algorithm>
#include <array>
#include <memory>

#include "protocol/http/libcurl.hpp"

namespace clarity::http_detail {

namespace {

struct UrlCloser {
    void operator()(CURLU* url) const { curl().url_cleanup(url); }
};
using Url = std::unique_ptr<CURLU, UrlCloser>;

std::string part_of(CURLU* url, CURLUPart part) {
    char* text = nullptr;
    if (curl().url_get(url, part, &text, CURLU_DEFAULT_PORT) != CURLUE_OK) return {};
    std::string out = text;
    curl().free(text);
    return out;
}

std::array<std::string, 3> origin_of(CURLU* url) {
    return {part_of(url, CURLUPART_SCHEME), part_of(url, CURLUPART_HOST),
            part_of(url, CURLUPART_PORT)};
}

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return text;
}

/// Says nothing that the other host may not know, or is held back by libcurl.
bool is_harmless(const std::string& name) {
    return name == "authorization" || name == "cookie" || name == "content-type" ||
           name.starts_with("accept") || name.starts_with("if-");
}

}  // namespace

bool has_private_headers(const HttpRequest& request) {
    return std::any_of(request.headers.begin(), request.headers.end(),
                       [](const auto& header) { return !is_harmless(lower(header.first)); });
}

Result<HttpRequest> follow(const HttpRequest& request, const std::string& location) {
    if (const auto& opened = open_curl(); !opened) return tl::unexpected<Error>(opened.error());
    const Url url(curl().url());
    const auto refused = [&] {
        return fail(Errc::invalid, "{} {}: redirected to \"{}\", which is no address to go on to",
                    request.method, url_for_log(request.url), url_for_log(location));
    };
    if (curl().url_set(url.get(), CURLUPART_URL, request.url.c_str(), 0) != CURLUE_OK) {
        return refused();
    }
    const auto before = origin_of(url.get());
    if (curl().url_set(url.get(), CURLUPART_URL, location.c_str(), 0) != CURLUE_OK)
        return refused();
    const auto after = origin_of(url.get());
    const bool secure = after[0] == "https";
    if (!secure && (after[0] != "http" || before[0] == "https")) return refused();
    HttpRequest out = request;
    out.url = part_of(url.get(), CURLUPART_URL);
    if (after != before) {
        std::erase_if(out.headers, [](const auto& header) {
            const auto name = lower(header.first);
            return !is_harmless(name) || name == "authorization" || name == "cookie";
        });
        out.username.clear();
        out.password.clear();
    }
    return out;
}

}  // namespace clarity::http_detail
