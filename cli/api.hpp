#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "protocol/json.hpp"

namespace clarity::cli {

/// "host", "host:8470" or "https://host:8470/" as "https://host:8470". Fails on anything that is
/// not https: a token is never sent in the clear.
[[nodiscard]] Result<std::string> normal_url(std::string_view text);

/// An answer of the coordinator, whatever its status.
struct ApiAnswer {
    int status = 0;
    Json body;
};

/// The coordinator's REST API (docs/openapi.yaml), one request at a time, blocking.
/// Errors: network (nobody answers; message says what to check), timeout, denied (token or
/// permission), not_found, conflict, invalid, failed, each with the coordinator's own message.
class Api {
  public:
    struct Settings {
        std::string url;
        std::string ca_pem;  ///< verified against it alone; empty = see `unverified`
        std::string token;   ///< empty = none is sent
        std::int64_t timeout_ms = 30'000;
        /// Does not verify TLS at all: only to learn the CA's fingerprint before anything is
        /// trusted. Never together with a token.
        bool unverified = false;
    };
    explicit Api(Settings settings) : settings_(std::move(settings)) {}

    [[nodiscard]] Result<Json> get(const std::string& path) const;
    [[nodiscard]] Result<Json> put(const std::string& path, const Json& body) const;
    [[nodiscard]] Result<Json> post(const std::string& path, const Json& body) const;
    /// DELETE.
    [[nodiscard]] Result<Json> remove(const std::string& path) const;
    /// For callers that want the body of a refusal too. Only transport problems are errors.
    [[nodiscard]] Result<ApiAnswer> call(const char* method, const std::string& path,
                                         const Json* body) const;
    /// The body, or the refusal as an error.
    [[nodiscard]] Result<Json> accept(Result<ApiAnswer> answer) const;

    [[nodiscard]] const std::string& url() const { return settings_.url; }

  private:
    Settings settings_;
};

}  // namespace clarity::cli
