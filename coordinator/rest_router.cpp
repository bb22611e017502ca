#include "coordinator/rest_router.hpp"

#include "protocol/log/log.hpp"

namespace clarity::coordinator {
namespace {

std::vector<std::string> split_path(std::string_view path) {
    std::vector<std::string> out;
    while (!path.empty()) {
        if (path.front() == '/') {
            path.remove_prefix(1);
            continue;
        }
        const auto end = std::min(path.find('/'), path.size());
        out.emplace_back(path.substr(0, end));
        path.remove_prefix(end);
    }
    return out;
}

bool has_control(std::string_view text) {
    for (const char c : text) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return true;
    }
    return false;
}

bool is_param(std::string_view part) {
    return part.starts_with('{') && part.ends_with('}');
}

constexpr auto no_token =
    "this needs the API's bearer token; \"clarity login\" stores it, the "
    "coordinator wrote it to admin.token in its state folder";

}  // namespace

std::string Call::query(const std::string& name) const {
    const auto at = request.query.find(name);
    return at == request.query.end() ? "" : at->second;
}

int status_of(Errc code) {
    switch (code) {
        case Errc::invalid: return 400;
        case Errc::not_found: return 404;
        case Errc::exists:
        case Errc::conflict: return 409;
        case Errc::denied:
        case Errc::bad_signature: return 403;
        case Errc::unavailable: return 503;
        case Errc::network: return 502;
        case Errc::timeout: return 504;
        case Errc::no_space: return 507;
        case Errc::io:
        case Errc::failed:
        case Errc::cancelled: return 500;
    }
    return 500;
}

http::Response json_answer(const Json& body, int status) {
    http::Response out;
    out.status = status;
    out.body = to_text(body) + "\n";
    return out;
}

http::Response error_answer(const Error& error) {
    return json_answer(Json{{"error", {{"code", name_of(error.code)}, {"message", error.message}}}},
                       status_of(error.code));
}

void Router::add(std::string method, std::string_view pattern, Access access,
                 RouteHandler handler) {
    routes_.push_back(Route{std::move(method), std::string(pattern), split_path(pattern), access,
                            std::move(handler)});
}

std::vector<std::string> Router::names() const {
    std::vector<std::string> out;
    for (const auto& route : routes_) out.push_back(route.method + " " + route.pattern);
    return out;
}

const Router::Route* Router::find(const http::Request& request,
                                  std::map<std::string, std::string>& params,
                                  bool& path_known) const {
    const auto parts = split_path(request.path);
    for (const auto& route : routes_) {
        if (route.parts.size() != parts.size()) continue;
        std::map<std::string, std::string> found;
        bool fits = true;
        for (std::size_t i = 0; i < parts.size() && fits; ++i) {
            const auto& want = route.parts[i];
            if (is_param(want)) found[want.substr(1, want.size() - 2)] = parts[i];
            else fits = want == parts[i];
        }
        if (!fits) continue;
        path_known = true;
        if (route.method != request.method) continue;
        params = std::move(found);
        return &route;
    }
    return nullptr;
}

Result<void> Router::admit(const Route& route, Call& call) {
    if (route.access != Access::admin) return {};
    const auto token = call.request.bearer_token();
    if (auth_.is_admin(token)) {
        call.actor = "admin";
        return {};
    }
    metrics_.count("auth_failures_total");
    if (!auth_.is_blocked(call.request.remote_address, call.now_ms)) {
        auth_.note_failure(call.request.remote_address, call.now_ms);
        log::warning("api: {} {} from {} refused: {} bearer token", call.request.method,
                     route.pattern, call.request.remote_address, token.empty() ? "no" : "wrong");
    }
    return fail(Errc::denied, "{}", token.empty() ? no_token : "the bearer token is not valid");
}

http::Response Router::run(const Route& route, Call& call) {
    const bool blocked = auth_.is_blocked(call.request.remote_address, call.now_ms);
    if (const auto admitted = admit(route, call); !admitted) {
        auto out = error_answer(admitted.error());
        out.status = blocked ? 429 : 401;
        out.headers["WWW-Authenticate"] = "Bearer";
        if (blocked) out.headers["Retry-After"] = "60";
        return out;
    }
    if (call.request.body_dropped) {
        auto out = error_answer({Errc::invalid, "the request's body is too large"});
        out.status = 413;
        return out;
    }
    if (!call.request.body.empty() && route.method != "GET") {
        auto body = parse_json(call.request.body);
        if (!body) return error_answer(std::move(body).error().within("request body"));
        if (!body->is_object()) {
            return error_answer({Errc::invalid, "request body: not a JSON object"});
        }
        call.body = *std::move(body);
    }
    auto answer = route.handler(call);
    return answer ? *std::move(answer) : error_answer(answer.error());
}

http::Response Router::handle(const http::Request& request, std::int64_t now_ms) {
    Call call{request, {}, {}, {}, now_ms};
    bool path_known = false;
    const Route* route = find(request, call.params, path_known);
    http::Response out;
    if (has_control(request.path)) {
        out = error_answer({Errc::invalid, "control characters in the path"});
    } else if (route == nullptr) {
        out = error_answer({Errc::not_found, fmt::format("there is no {} {} in this API",
                                                         request.method, request.path)});
        if (path_known) out.status = 405;
    } else {
        try {
            out = run(*route, call);
        } catch (const std::exception& error) {
            // A bug of ours: the client learns that, the log learns more.
            log::error("api: {} {}: {}", request.method, route->pattern, error.what());
            out = error_answer({Errc::failed, "internal error; the coordinator's log has more"});
        }
    }
    metrics_.count("http_requests_total", {{"method", route ? route->method : "other"},
                                           {"route", route ? route->pattern : "none"},
                                           {"status", std::to_string(out.status)}});
    return out;
}

}  // namespace clarity::coordinator
