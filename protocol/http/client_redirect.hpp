#pragma once

#include "protocol/http/client.hpp"

namespace clarity::http_detail {

/// Whether the request has headers that libcurl would pass on to whatever host an answer names: it
/// holds back Authorization and Cookie only, not a repository's own kind of key.
[[nodiscard]] bool has_private_headers(const HttpRequest& request);

/// The request that follows a redirect to `location` (relative or whole). To another scheme, host
/// or port it carries neither headers nor credentials; from https it never goes to plain text.
[[nodiscard]] Result<HttpRequest> follow(const HttpRequest& request, const std::string& location);

}  // namespace clarity::http_detail
