#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "coordinator/auth.hpp"
#include "coordinator/metrics.hpp"
#include "protocol/http/server.hpp"
#include "protocol/json.hpp"

namespace clarity::coordinator {

/// Who may call a route.
enum class Access {
    open,   ///< anybody
    admin,  ///< the admin's bearer token
    join,   ///< a join token as bearer; the handler checks it
};

/// One request on its way through a handler.
struct Call {
    const http::Request& request;
    std::map<std::string, std::string> params;  ///< by name in the pattern
    Json body;                                  ///< of PUT and POST; null when empty
    std::string actor;                          ///< for the audit
    std::int64_t now_ms = 0;                    ///< unix

    [[nodiscard]] std::int64_t now_s() const { return now_ms / 1000; }
    [[nodiscard]] const std::string& param(const char* name) const { return params.at(name); }
    /// Query parameter, or empty.
    [[nodiscard]] std::string query(const std::string& name) const;
};

using Answer = Result<http::Response>;
using RouteHandler = std::function<Answer(Call&)>;

/// Finds the handler of a request, checks who calls, turns errors into answers, counts. Loop
/// thread only.
class Router {
  public:
    Router(Auth& auth, Counters& metrics) : auth_(auth), metrics_(metrics) {}

    /// `pattern` as in "/api/v1/sites/{client}/{dc}/status".
    void add(std::string method, std::string_view pattern, Access access, RouteHandler handler);
    [[nodiscard]] http::Response handle(const http::Request& request, std::int64_t now_ms);

    /// "GET /api/v1/sites" of each route, for the check against docs/openapi.yaml.
    [[nodiscard]] std::vector<std::string> names() const;

  private:
    struct Route {
        std::string method;
        std::string pattern;
        std::vector<std::string> parts;
        Access access;
        RouteHandler handler;
    };
    /// The route that fits; null with `path_known` set when only the method does not.
    [[nodiscard]] const Route* find(const http::Request& request,
                                    std::map<std::string, std::string>& params,
                                    bool& path_known) const;
    [[nodiscard]] Result<void> admit(const Route& route, Call& call);
    [[nodiscard]] http::Response run(const Route& route, Call& call);

    Auth& auth_;
    Counters& metrics_;
    std::vector<Route> routes_;
};

[[nodiscard]] http::Response json_answer(const Json& body, int status = 200);
/// {"error":{"code","message"}} with the status that suits the code.
[[nodiscard]] http::Response error_answer(const Error& error);
[[nodiscard]] int status_of(Errc code);

}  // namespace clarity::coordinator
