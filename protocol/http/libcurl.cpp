#include "protocol/http/libcurl.hpp"

#include "protocol/library/shared_library.hpp"

namespace clarity::http_detail {
namespace {

Result<Curl> load() {
    CLARITY_TRY(const auto library, SharedLibrary::open("libcurl.so.4"));
    Curl out;
    CLARITY_CHECK(library.find("curl_global_init", out.global_init));
    CLARITY_CHECK(library.find("curl_easy_init", out.easy_init));
    CLARITY_CHECK(library.find("curl_easy_reset", out.easy_reset));
    CLARITY_CHECK(library.find("curl_easy_cleanup", out.easy_cleanup));
    CLARITY_CHECK(library.find("curl_easy_setopt", out.easy_setopt));
    CLARITY_CHECK(library.find("curl_easy_getinfo", out.easy_getinfo));
    CLARITY_CHECK(library.find("curl_easy_perform", out.easy_perform));
    CLARITY_CHECK(library.find("curl_easy_strerror", out.easy_strerror));
    CLARITY_CHECK(library.find("curl_slist_append", out.slist_append));
    CLARITY_CHECK(library.find("curl_slist_free_all", out.slist_free_all));
    CLARITY_CHECK(library.find("curl_url", out.url));
    CLARITY_CHECK(library.find("curl_url_cleanup", out.url_cleanup));
    CLARITY_CHECK(library.find("curl_url_get", out.url_get));
    CLARITY_CHECK(library.find("curl_url_set", out.url_set));
    CLARITY_CHECK(library.find("curl_free", out.free));
    if (out.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return fail(Errc::unavailable, "libcurl does not start on this host");
    }
    return out;
}

}  // namespace

const Result<Curl>& open_curl() {
    static const auto opened = load();
    return opened;
}

}  // namespace clarity::http_detail
