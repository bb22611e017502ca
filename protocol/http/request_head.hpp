#pragma once

#include "protocol/http/restinio.hpp"
#include "protocol/http/server.hpp"

namespace clarity::http {

/// Method, path, query and headers of a request whose body may still be on its way.
[[nodiscard]] Request head_of(const restinio::http_request_header_t& header);

}  // namespace clarity::http
