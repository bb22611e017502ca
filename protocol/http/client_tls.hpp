#pragma once

#include <curl/curl.h>

#include "protocol/http/client.hpp"

namespace clarity::http_detail {

/// Sets trust, client certificate and pin of an https request on the handle. `request` must
/// outlive the transfer: nothing is copied.
[[nodiscard]] Result<void> set_tls(CURL* handle, const HttpRequest& request);

/// The server's certificates after a transfer, own first.
[[nodiscard]] std::vector<std::string> peer_chain(CURL* handle);

}  // namespace clarity::http_detail
