// The functions of libcurl that this folder calls: see LazyLibrary. A library that is missing shows
// as a handle that cannot be made.

#include <curl/curl.h>

#include <cstdarg>

#include "protocol/http/lazy_library.hpp"

// Macros of curl.h that count the arguments.
#undef curl_easy_setopt
#undef curl_easy_getinfo

namespace {

clarity::LazyLibrary& library() {
    static clarity::LazyLibrary curl("libcurl.so.4");
    return curl;
}

// What is passed on as a pointer may be any of these.
static_assert(sizeof(long) == sizeof(void*) && sizeof(curl_off_t) == sizeof(void*));

// Const from libcurl 8 on.
template <class Out, class First, class... Rest>
First first_parameter(Out (*)(First, Rest...));
using UrlToRead = decltype(first_parameter(&curl_url_get));

}  // namespace

extern "C" {

CURLcode curl_global_init(long flags) {
    CLARITY_LAZY_CALL(library(), curl_global_init, CURLE_FAILED_INIT, flags);
}

CURL* curl_easy_init() {
    CLARITY_LAZY_CALL(library(), curl_easy_init, nullptr);
}

CURLcode curl_easy_setopt(CURL* handle, CURLoption option, ...) {
    va_list arguments;
    va_start(arguments, option);
    void* const value = va_arg(arguments, void*);
    va_end(arguments);
    CLARITY_LAZY_CALL(library(), curl_easy_setopt, CURLE_FAILED_INIT, handle, option, value);
}

CURLcode curl_easy_getinfo(CURL* handle, CURLINFO info, ...) {
    va_list arguments;
    va_start(arguments, info);
    void* const into = va_arg(arguments, void*);
    va_end(arguments);
    CLARITY_LAZY_CALL(library(), curl_easy_getinfo, CURLE_FAILED_INIT, handle, info, into);
}

CURLcode curl_easy_perform(CURL* handle) {
    CLARITY_LAZY_CALL(library(), curl_easy_perform, CURLE_FAILED_INIT, handle);
}

void curl_easy_reset(CURL* handle) {
    CLARITY_LAZY_CALL(library(), curl_easy_reset, void(), handle);
}

void curl_easy_cleanup(CURL* handle) {
    CLARITY_LAZY_CALL(library(), curl_easy_cleanup, void(), handle);
}

const char* curl_easy_strerror(CURLcode code) {
    CLARITY_LAZY_CALL(library(), curl_easy_strerror, "libcurl is missing", code);
}

curl_slist* curl_slist_append(curl_slist* list, const char* text) {
    CLARITY_LAZY_CALL(library(), curl_slist_append, nullptr, list, text);
}

void curl_slist_free_all(curl_slist* list) {
    CLARITY_LAZY_CALL(library(), curl_slist_free_all, void(), list);
}

void curl_free(void* memory) {
    CLARITY_LAZY_CALL(library(), curl_free, void(), memory);
}

CURLU* curl_url() {
    CLARITY_LAZY_CALL(library(), curl_url, nullptr);
}

void curl_url_cleanup(CURLU* url) {
    CLARITY_LAZY_CALL(library(), curl_url_cleanup, void(), url);
}

CURLUcode curl_url_get(UrlToRead url, CURLUPart part, char** text, unsigned int flags) {
    CLARITY_LAZY_CALL(library(), curl_url_get, CURLUE_BAD_HANDLE, url, part, text, flags);
}

CURLUcode curl_url_set(CURLU* url, CURLUPart part, const char* text, unsigned int flags) {
    CLARITY_LAZY_CALL(library(), curl_url_set, CURLUE_BAD_HANDLE, url, part, text, flags);
}

}  // extern "C"
