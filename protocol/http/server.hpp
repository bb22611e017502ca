#pragma once

#include <utility>

#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "protocol/error.hpp"

namespace clarity::http {

/// One request as it came, within the server's limits.
struct Request {
    std::string method;  ///< "GET", "PUT", …
    std::string path;    ///< percent-decoded, without the query; starts with '/'
    std::map<std::string, std::string> query;    ///< decoded; a repeated key keeps its first value
    std::map<std::string, std::string> headers;  ///< names in lower case
    std::string body;
    bool body_dropped = false;   ///< it was over its limit and thrown away: `body` is empty
    std::string remote_address;  ///< "10.0.0.7"

    /// The header's value, or empty. `name` in lower case.
    [[nodiscard]] std::string_view header(const std::string& name) const;
    /// The token of "Authorization: Bearer …", or empty.
    [[nodiscard]] std::string_view bearer_token() const;
};

struct Response {
    int status = 200;
    std::string content_type = "application/json";
    std::string body;
    std::map<std::string, std::string> headers;
};

/// Answers a request: at most once, from any thread, now or later. Dropped without an answer, the
/// client gets 500.
using Reply = std::function<void(Response)>;
/// Runs on the server's io_context. Must not throw.
using Handler = std::function<void(Request, Reply)>;

/// How many bytes of a request's body are kept. Asked when the headers are here (`body` and
/// `remote_address` are not) and a body is to come. On the server's thread; must not block.
using BodyLimit = std::function<std::uint64_t(const Request& head)>;

struct ServerSettings {
    std::string listen = "127.0.0.1:0";  ///< "address:port" or "[v6]:port"; port 0 = any free one
    std::string setting = "listen";      ///< its name in the configuration, for messages
    std::string certificate_pem;         ///< chain; empty = plain HTTP
    std::string key_pem;
    std::string client_ca_pem;  ///< when set, a client certificate is asked for and, if given,
                                ///< must be of this CA; a client without one is let in
    std::uint64_t body_max_bytes = 64U << 20;
    /// Less than body_max_bytes for some. With it the handler gets a request over its limit with
    /// `body_dropped`; without it the server itself answers 413.
    BodyLimit body_limit = {};
    std::size_t headers_max = 64;
    std::size_t header_max_bytes = 16U << 10;
    std::size_t url_max_bytes = 4096;
    std::size_t connections_max = 256;
    int read_timeout_ms = 20'000;    ///< for one whole request, and for an idle connection
    int handle_timeout_ms = 60'000;  ///< from request to Reply
    int write_timeout_ms = 20'000;
};

/// An HTTP or HTTPS/1.1 server (RESTinio) on the caller's io_context, which one thread runs.
/// Start and destroy it on that thread, or while nobody runs the context.
class Server {
  public:
    /// Binds and listens at once. Errors name the address, the setting and what to do.
    [[nodiscard]] static Result<std::unique_ptr<Server>> start(boost::asio::io_context& loop,
                                                               const ServerSettings& settings,
                                                               Handler handler);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// The bound port, also when 0 was asked for.
    [[nodiscard]] std::uint16_t port() const;
    /// Stops listening and closes all connections; the destructor does it too.
    void stop();

    /// The RESTinio server behind it, plain or TLS. Public so that the source can derive from it.
    struct Impl;

  private:
    explicit Server(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace clarity::http
