#pragma once

#include <utility>

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>

#include "protocol/http/server.hpp"
#include "protocol/json.hpp"

namespace clarity {

/// What the agent's loopback HTTP port shows; called on the loop.
struct EndpointSources {
    std::function<std::string()> metrics;  ///< Prometheus text
    std::function<Json()> health;  ///< {"status": "ok" | …, …}; not "ok" is answered 503
};

/// GET /metrics and GET /healthz. Errors name the address and the setting http.listen.
[[nodiscard]] Result<std::unique_ptr<http::Server>> serve_endpoints(boost::asio::io_context& loop,
                                                                    const std::string& listen,
                                                                    EndpointSources sources);

}  // namespace clarity
