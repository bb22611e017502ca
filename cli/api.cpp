#include "cli/api.hpp"

#include <algorithm>
#include <array>

#include "protocol/http/client.hpp"

namespace clarity::cli {
namespace {

constexpr std::size_t answer_max_bytes = 64U << 20;

Errc code_of(int status, const std::string& name) {
    constexpr std::array<Errc, 13> codes = {Errc::invalid,  Errc::not_found,   Errc::exists,
                                            Errc::io,       Errc::no_space,    Errc::network,
                                            Errc::timeout,  Errc::denied,      Errc::bad_signature,
                                            Errc::conflict, Errc::unavailable, Errc::failed,
                                            Errc::cancelled};
    // What the coordinator could not reach is not what we could not reach: the status decides
    // those, the name the rest.
    const auto named =
        std::find_if(codes.begin(), codes.end(), [&](Errc code) { return name_of(code) == name; });
    if (status == 401 || status == 403) {
        return named != codes.end() && *named == Errc::bad_signature ? *named : Errc::denied;
    }
    if (named != codes.end() && *named != Errc::network && *named != Errc::timeout &&
        *named != Errc::cancelled && *named != Errc::denied) {
        return *named;
    }
    if (status == 404) return Errc::not_found;
    if (status == 409) return Errc::conflict;
    return status >= 400 && status < 500 ? Errc::invalid : Errc::failed;
}

}  // namespace

Result<std::string> normal_url(std::string_view text) {
    constexpr std::string_view scheme = "https://";
    std::string_view rest = text;
    if (rest.starts_with(scheme)) {
        rest.remove_prefix(scheme.size());
    } else if (rest.find("://") != std::string_view::npos) {
        return fail(Errc::invalid, "{}: a coordinator is reached over https:// only", text);
    }
    while (rest.ends_with('/')) rest.remove_suffix(1);
    const auto bad = rest.find_first_of("/?#@ \t\r\n");
    if (rest.empty() || bad != std::string_view::npos) {
        return fail(Errc::invalid, "\"{}\" is not a coordinator's address: write https://HOST:PORT",
                    text);
    }
    std::string host(rest);
    const auto bracket = host.find(']');
    const auto colon = host.find(':', bracket == std::string::npos ? 0 : bracket);
    if (colon == std::string::npos) host += ":8470";
    return std::string(scheme) + host;
}

Result<ApiAnswer> Api::call(const char* method, const std::string& path, const Json* body) const {
    HttpRequest request;
    request.method = method;
    request.url = settings_.url + path;
    request.ca_pem = settings_.ca_pem;
    const auto limit_ms = std::clamp<std::int64_t>(settings_.timeout_ms, 1'000, 600'000);
    request.timeout_ms = static_cast<std::uint32_t>(limit_ms);
    request.connect_timeout_ms = std::min(request.timeout_ms, 5'000U);
    request.insecure_any_server = settings_.unverified;
    request.response_max_bytes = answer_max_bytes;
    if (!settings_.token.empty() && !settings_.unverified) {
        request.headers.push_back({"Authorization", "Bearer " + settings_.token});
    }
    if (body != nullptr) {
        request.headers.push_back({"Content-Type", "application/json"});
        request.body = to_text(*body);
    }
    auto response = http_request(request);
    if (!response) {
        auto error = std::move(response).error();
        if (error.code == Errc::network) {
            error.message += "; is the coordinator running, and is this its address?";
        }
        return tl::unexpected<Error>(std::move(error));
    }
    ApiAnswer answer;
    answer.status = static_cast<int>(response->status);
    if (response->body.empty()) {
        answer.body = Json::object();
        return answer;
    }
    auto json = parse_json(response->body, answer_max_bytes);
    if (!json) {
        return fail(Errc::invalid,
                    "{}: answered with something that is not JSON (status {}); is "
                    "this a coordinator?",
                    settings_.url, answer.status);
    }
    answer.body = *std::move(json);
    return answer;
}

Result<Json> Api::accept(Result<ApiAnswer> answer) const {
    if (!answer) return tl::unexpected<Error>(std::move(answer).error());
    if (answer->status >= 200 && answer->status < 300) return std::move(answer->body);
    const auto error = json_or<Json>(answer->body, "error", Json::object());
    auto message = json_or<std::string>(error, "message", "");
    if (message.empty()) message = fmt::format("answered with status {}", answer->status);
    const auto code = code_of(answer->status, json_or<std::string>(error, "code", ""));
    if (answer->status == 401) {
        message += "; run clarity login with a token that is valid";
    }
    return fail(code, "{}", message);
}

Result<Json> Api::get(const std::string& path) const {
    return accept(call("GET", path, nullptr));
}

Result<Json> Api::put(const std::string& path, const Json& body) const {
    return accept(call("PUT", path, &body));
}

Result<Json> Api::post(const std::string& path, const Json& body) const {
    return accept(call("POST", path, &body));
}

Result<Json> Api::remove(const std::string& path) const {
    return accept(call("DELETE", path, nullptr));
}

}  // namespace clarity::cli
