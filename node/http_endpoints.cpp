#include "node/http_endpoints.hpp"

namespace clarity {

Result<std::unique_ptr<http::Server>> serve_endpoints(boost::asio::io_context& loop,
                                                      const std::string& listen,
                                                      EndpointSources sources) {
    http::ServerSettings settings;
    settings.listen = listen;
    settings.setting = "http.listen";
    settings.body_max_bytes = 4096;
    settings.connections_max = 32;
    const auto handle = [sources = std::move(sources)](http::Request request, http::Reply reply) {
        http::Response response;
        if (request.method != "GET") {
            response = {405, "text/plain", "only GET\n", {}};
        } else if (request.path == "/metrics") {
            response = {200, "text/plain; version=0.0.4", sources.metrics(), {}};
        } else if (request.path == "/healthz") {
            const Json health = sources.health();
            response.body = to_text(health) + "\n";
            response.status = json_or<std::string>(health, "status", "") == "ok" ? 200 : 503;
        } else {
            response = {404, "text/plain", "there are /metrics and /healthz\n", {}};
        }
        reply(std::move(response));
    };
    return http::Server::start(loop, settings, handle);
}

}  // namespace clarity
