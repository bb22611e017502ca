#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/bytes.hpp"

namespace clarity {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

/// Fills the buffer with the next bytes of a body; 0 = end, an error ends the request with it.
using HttpSource = std::function<Result<std::size_t>(char* buffer, std::size_t size)>;

/// Keeps the connection to a server open from one request to the next. One request at a time; the
/// requests that share it must have the same trust settings.
class HttpConnection {
  public:
    HttpConnection();
    ~HttpConnection();
    HttpConnection(const HttpConnection&) = delete;
    HttpConnection& operator=(const HttpConnection&) = delete;
    [[nodiscard]] void* handle() const { return handle_; }

  private:
    void* handle_;  ///< libcurl's
};

/// One request. Everything has a limit; the defaults suit the REST API.
struct HttpRequest {
    std::string method = "GET";
    std::string url;  ///< http:// or https://; others are refused
    HttpHeaders headers;
    Bytes body;  ///< sent for every method but GET and HEAD when not empty
    /// Streams the body instead (Docker image load); `upload_size_bytes` absent = chunked.
    HttpSource upload;
    std::optional<std::uint64_t> upload_size_bytes;

    /// Sent as a Range header, first byte and last byte (inclusive; absent = to the end).
    std::optional<std::uint64_t> range_first;
    std::optional<std::uint64_t> range_last;

    std::string username;  ///< basic authentication where not empty
    std::string password;

    std::string ca_pem;           ///< trust only these; empty = the system's
    std::string client_cert_pem;  ///< with client_key_pem: mutual TLS
    std::string client_key_pem;
    /// First contact without a CA at hand: trust the chain exactly when the server sends a
    /// certificate with this SHA-256 (of its DER form) that vouches for the server's own; names
    /// and dates are checked as ever. The server must send its CA along.
    std::optional<Digest> insecure_pin_sha256;
    /// Checks nothing: only to look at the chain (HttpResponse::peer_chain_pem). Never send a
    /// secret or believe an answer.
    bool insecure_any_server = false;

    std::shared_ptr<HttpConnection> connection = {};  ///< none: a new one for this request
    std::string unix_socket;                          ///< path; the URL then names host "localhost"

    std::uint32_t connect_timeout_ms = 10'000;
    std::uint32_t timeout_ms = 60'000;  ///< whole request; 0 = none (streams)
    /// Fewer than this many bytes/s over low_speed_s seconds is Errc::timeout. 0 = off. libcurl
    /// averages over 5 s, so it takes that much longer.
    std::uint32_t low_speed_bytes_s = 1;
    std::uint32_t low_speed_s = 30;
    std::uint32_t stall_ms = 0;  ///< no byte either way for so long is Errc::timeout; 0 = off
    std::uint64_t rate_limit_bytes_s = 0;            ///< of the answer's body; 0 = none
    std::uint64_t response_max_bytes = 64ULL << 20;  ///< http_request() only
    std::uint32_t redirects_max = 5;  ///< http(s) only; credentials are not passed to other hosts
    std::stop_token stop;             ///< ends with Errc::cancelled within about a second
};

/// Status line and headers, once they are complete (of the last answer after redirects).
struct HttpHead {
    int status = 0;
    HttpHeaders headers;  ///< names in lower case

    /// First value of a header (name in lower case), or nullptr.
    [[nodiscard]] const std::string* find(std::string_view name) const;
    /// Content-Length as a number, where present and sane.
    [[nodiscard]] std::optional<std::uint64_t> content_length() const;
};

struct HttpResponse : HttpHead {
    Bytes body;
    std::vector<std::string> peer_chain_pem;  ///< server's certificates as sent, own first
};

/// Blocks the calling thread; any thread. Any status is Ok: callers judge it. Errors: network
/// (unreachable, cut), timeout, denied (TLS: the server is not who it should be), cancelled,
/// invalid (URL, over response_max_bytes). Messages name method and URL (without a query or user
/// part).
[[nodiscard]] Result<HttpResponse> http_request(const HttpRequest& request);

/// The answer's next bytes; called first with empty bytes when the head is complete, then for each
/// part. Return false to end the request (Errc::cancelled).
using HttpSink = std::function<bool(const HttpHead& head, std::string_view bytes)>;

/// The same, handing the body on as it comes. The HttpResponse has an empty body.
[[nodiscard]] Result<HttpResponse> http_stream(const HttpRequest& request, const HttpSink& sink);

/// `text` with everything but RFC 3986 unreserved characters percent-encoded; '/' kept on request.
[[nodiscard]] std::string url_encode(std::string_view text, bool keep_slashes = false);

/// A URL for people and logs: no user part, no query, no fragment.
[[nodiscard]] std::string url_for_log(std::string_view url);

}  // namespace clarity
