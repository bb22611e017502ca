#pragma once

#include <curl/curl.h>

#include "protocol/error.hpp"

namespace clarity::http_detail {

/// What we use of libcurl, which comes with two dozen further libraries and is therefore opened by
/// the first request. libcurl's own names without "curl_".
struct Curl {
    decltype(&::curl_global_init) global_init = nullptr;
    decltype(&::curl_easy_init) easy_init = nullptr;
    decltype(&::curl_easy_reset) easy_reset = nullptr;
    decltype(&::curl_easy_cleanup) easy_cleanup = nullptr;
    decltype(&::curl_easy_setopt) easy_setopt = nullptr;
    decltype(&::curl_easy_getinfo) easy_getinfo = nullptr;
    decltype(&::curl_easy_perform) easy_perform = nullptr;
    decltype(&::curl_easy_strerror) easy_strerror = nullptr;
    decltype(&::curl_slist_append) slist_append = nullptr;
    decltype(&::curl_slist_free_all) slist_free_all = nullptr;
    decltype(&::curl_url) url = nullptr;
    decltype(&::curl_url_cleanup) url_cleanup = nullptr;
    decltype(&::curl_url_get) url_get = nullptr;
    decltype(&::curl_url_set) url_set = nullptr;
    decltype(&::curl_free) free = nullptr;
};

/// Opens libcurl if that was not done. Any thread.
[[nodiscard]] const Result<Curl>& open_curl();

/// After open_curl() has succeeded.
[[nodiscard]] inline const Curl& curl() {
    return *open_curl();
}

}  // namespace clarity::http_detail
